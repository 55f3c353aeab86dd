"""Text that fits and never fails, in the font that Pillow carries or, for other scripts, in one that is installed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

ELLIPSIS: Final = "…"
_INSTALLED: Final = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "msgothic.ttc",
)
_NEVER_A_GLYPH: Final = "\U0010ffff"


def printable(text: str) -> str:
    """`text` on one line, with control, surrogate and direction characters escaped like `\\x0a`."""
    return "".join(
        _escaped(character) if unicodedata.category(character)[0] == "C" else character for character in text
    )


def typeset(text: str, size: int) -> tuple[str, FreeTypeFont]:
    """The text and a font that has all of its glyphs, `size` in pixels.

    Characters that no font here has lose their accents, or are escaped like `\\u65e5`.
    """
    text = printable(text)
    for name in (None, *_INSTALLED):
        face = _font(name, size)
        if face is not None and _missing(text, name, face) == set():
            return text, face
    plain = _font(None, size)
    assert plain is not None, "the font that Pillow carries always loads"
    lost = _missing(text, None, plain)
    folded = "".join(_folded(character, plain) if character in lost else character for character in text)
    return folded, plain


def fitted(text: str, size: int, width: float, *, middle: bool = False) -> tuple[str, FreeTypeFont]:
    """Like `typeset`, with an ellipsis at the end, or in the middle, where it would be wider than `width` pixels."""
    text, face = typeset(text, size)
    if face.getlength(text) <= width:
        return text, face
    lowest, highest = 0, len(text)
    while lowest < highest:  # the longest text that fits; more characters are never narrower by much
        keep = (lowest + highest + 1) // 2
        lowest, highest = (
            (keep, highest) if face.getlength(shortened(text, keep, middle=middle)) <= width else (lowest, keep - 1)
        )
    return shortened(text, lowest, middle=middle), face


def shortened(text: str, keep: int, *, middle: bool = False) -> str:
    """`text`, or `keep` of its characters and an ellipsis."""
    if len(text) <= keep:
        return text
    if not middle:
        return text[:keep].rstrip() + ELLIPSIS
    tail = keep * 2 // 3  # file names differ at their ends
    return text[: keep - tail] + ELLIPSIS + text[len(text) - tail :]


@cache
def _font(name: str | None, size: int) -> FreeTypeFont | None:
    if name is None:
        face = ImageFont.load_default(size)
        assert isinstance(face, FreeTypeFont), "Pillow's wheels are built with FreeType"
        return face
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # not installed here
        return None


@cache
def _blank_glyph(name: str | None, face: FreeTypeFont) -> bytes:
    return bytes(face.getmask(_NEVER_A_GLYPH))


def _missing(text: Iterable[str], name: str | None, face: FreeTypeFont) -> set[str]:
    blank = _blank_glyph(name, face)
    return {character for character in text if ord(character) > 126 and bytes(face.getmask(character)) == blank}


def _folded(character: str, face: FreeTypeFont) -> str:
    bare = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    return bare if bare.isascii() and bare else _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
