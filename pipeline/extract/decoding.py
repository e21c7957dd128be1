"""Turn blocks of any encoding into blocks of UTF-8, with undecodable bytes marked, not lost (pure)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from pipeline.errors import Problem
from pipeline.extract.refusal import Refused
from pipeline.model.encodings import MARK, is_utf8

_BOM = codecs.BOM_UTF8
_MARKED = re.compile("[\udc00-\udcff]")


def utf8_blocks(blocks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """Yield the blocks in UTF-8 without a byte order mark.

    UTF-8 itself passes unchecked: the reader looks at each record. A byte that another encoding cannot decode becomes a
    lone surrogate, which is no UTF-8, so that its record is found. Raises Refused where UTF-16 comes as UTF-8.
    """
    if is_utf8(encoding):
        yield from _without_bom(blocks, name)
        return
    decoder = codecs.getincrementaldecoder(encoding)(MARK)
    first = True
    try:
        for block in blocks:
            text = decoder.decode(block)
            if first and text:
                text = text.removeprefix("\ufeff")
                first = False
            if text:
                yield text.encode("utf-8", "surrogatepass")
        if rest := decoder.decode(b"", final=True):
            yield rest.encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        problem = Problem(f"does not decode as {encoding}: {error}", name, "name its encoding in source.encoding")
        raise Refused(problem) from error


def _without_bom(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    head = b""
    for block in blocks:
        head += block
        if len(head) >= len(_BOM):
            break
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused(Problem("begins with the byte order mark of UTF-16", name, "set source.encoding: utf-16"))
    head = head.removeprefix(_BOM)
    if head:
        yield head
    yield from blocks


def readable(raw: bytes, encoding: str) -> str:
    r"""Return a line for a person to mend: text, with each byte that did not decode, and NUL, as `\xNN`."""
    return without_nul(_text_of(raw, encoding))


def _text_of(raw: bytes, encoding: str) -> str:
    if is_utf8(encoding):
        return raw.decode("utf-8", "backslashreplace")
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # the line was cut within a character
        return raw.decode("utf-8", "backslashreplace")
    # Some encodings, such as utf-7, give halves of surrogate pairs of their own.
    return unmarked(text).encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")


def without_nul(text: str) -> str:
    r"""Write NUL as `\x00`: it makes a row malformed wherever it stands, also in the text of one that was."""
    return text.replace("\0", "\\x00")


def unmarked(text: str) -> str:
    r"""Write each mark as the byte that it stands for, `\xNN`."""
    return _MARKED.sub(lambda mark: f"\\x{ord(mark[0]) - 0xDC00:02x}", text)
