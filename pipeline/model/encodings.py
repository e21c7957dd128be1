"""Check the name of a text encoding, and mark the bytes that it cannot decode (pure)."""

from __future__ import annotations

import codecs

from pipeline.errors import JobError, Problem, shown

# The error handler that puts a mark in the place of a byte that does not decode.
MARK = "pipeline.mark"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Put U+DC00 + byte in the place of each undecodable byte: no text in UTF-8 can hold that."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(MARK, _mark)


def check_encoding(name: str) -> None:
    """Raise JobError for a name that is no text encoding, or one whose undecodable bytes cannot be marked."""
    try:
        b"abcd".decode(name, "replace")
        codecs.getincrementaldecoder(name)(MARK).decode(b"")
    except (LookupError, ValueError) as error:
        raise JobError(
            Problem(f"unknown encoding {shown(name)}", "source.encoding", "such as utf-8, cp1252, latin-1 or utf-16")
        ) from error


def is_utf8(name: str) -> bool:
    """Return whether the bytes can be read as they are."""
    return codecs.lookup(name).name in ("utf-8", "utf-8-sig")
