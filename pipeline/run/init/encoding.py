"""Guess the encoding of a dump from its bytes (pure).

UTF-8 proves itself: text of another encoding hardly ever decodes as it. What does not decode is read in every encoding that
dumps come in, and the one whose letters make the most likely words is taken.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

# In the order in which they win where two give equally likely words.
CANDIDATES = (
    "cp1252", "iso-8859-15", "cp1250", "iso-8859-2", "cp1251", "koi8-r", "cp1253", "cp1254", "cp850", "mac-roman",
)  # fmt: skip
# Letters that occur in everyday words and names, by the languages of their code pages; others of a code page are rare.
_EVERYDAY = frozenset(
    "éèëêáàâäãåíìïîóòôöõúùüûñçßæøœÉÈÁÀÄÅÖØÜÇÑŒ"
    "ąćęłńśźżŁŚŻŹčďěňřšťůžýČŘŠŽőűăâîșțşţğıİŞ"
    "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ"
    "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"
)
_SIGNS = frozenset("€£°§²³½¼µ®©™±–—‘’“”„…«»·•´`¨ ")
_WORD = re.compile(r"[^\W\d_]*[^\x00-\x7f][^\W\d_]*")
# A file is UTF-8 with damage, not another encoding, where so many of its sequences above ASCII are UTF-8.
_MOSTLY = 0.5
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]")


@dataclass(frozen=True)
class EncodingGuess:
    """An encoding by its name in the job file, how sure it is, and why."""

    name: str
    sure: bool
    why: str


def guess_encoding(head: bytes, high_lines: Sequence[bytes]) -> EncodingGuess:
    """Guess from the first bytes of a file and from some of its lines with bytes above ASCII, from anywhere in it."""
    if head.startswith(codecs.BOM_UTF8):
        return EncodingGuess("utf-8", True, "a byte order mark of UTF-8")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return EncodingGuess("utf-16", True, "a byte order mark of UTF-16")
    if wide := _wide(head):
        return EncodingGuess(wide, True, "every other byte is zero")
    if not high_lines:
        return EncodingGuess("utf-8", True, "plain ASCII, which is UTF-8 as well")
    text = b"\n".join(high_lines)
    sequences = _SEQUENCE.findall(text)
    good = sum(len(one) > 1 for one in sequences)
    if good == len(sequences):
        return EncodingGuess("utf-8", True, f"all {good:,} characters above ASCII decode")
    if good > _MOSTLY * len(sequences):
        why = f"{good:,} of {len(sequences):,} characters above ASCII decode; lines with the others are set aside"
        return EncodingGuess("utf-8", True, why)
    scores = {name: _score(text, name) for name in CANDIDATES}
    best = max(scores, key=lambda name: scores[name])
    words = ", ".join(dict.fromkeys(_WORD.findall(text.decode(best, "replace"))[:40]))
    return EncodingGuess(best, False, f"not valid UTF-8; read as {best}, it has words such as {words[:60]}")


def _wide(head: bytes) -> str:
    """Name UTF-16 without a byte order mark: half of the bytes of European text are zero then."""
    sample = head[: 1 << 12]
    if len(sample) < 16 or sample.count(0) < len(sample) // 3:
        return ""
    return "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be"


def _score(text: bytes, name: str) -> float:
    """Return how likely the words are that `text` has in an encoding."""
    score = 0.0
    read = text.decode(name, "replace")
    for at, char in enumerate(read):
        if char < "\x80":
            continue
        before, after = read[at - 1 : at], read[at + 1 : at + 2]
        within = before.isalpha() and after.isalpha()
        if char == "�" or "\x80" <= char < "\xa0":
            score -= 4
        elif char.isalpha():
            score += 1 if char in _EVERYDAY else -1
            # mÜller: an upper case letter behind a lower case one is no word.
            score -= 2 if char.isupper() and before.islower() else 0
            # A change of script within a word.
            score -= 2 if within and _script(char) != _script(before) and _script(before) >= 0 else 0
        elif char in _SIGNS:
            score += -2 if within and char not in "’'´" else 0.5
        else:
            score -= 2
    return score


def _script(char: str) -> int:
    """Return the script of a character, Latin, Greek or Cyrillic; -1 for what is no letter."""
    if not char.isalpha():
        return -1
    code = ord(char)
    return 1 if 0x370 <= code < 0x400 else 2 if 0x400 <= code < 0x530 else 0
