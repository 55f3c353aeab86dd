from __future__ import annotations

import pytest

from shardmill.operations.show.typography import ELLIPSIS, fitted, printable, shortened, typeset


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("daisy", "daisy"),
        ("a\nb\x1b[31m\t", "a\\nb\\x1b[31m\\t"),
        ("abc\u202edef", "abc\\u202edef"),
        ("half a \ud83d pair", "half a \\ud83d pair"),
        ("日本 é", "日本 é"),
    ],
)
def test_printable_escapes_what_steers_terminals(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_plain_text_keeps_its_letters() -> None:
    text, face = typeset("daisy (Bellis perennis) · 60 …", 20)
    assert text == "daisy (Bellis perennis) · 60 …"
    assert face.getname()[0] == "Aileron"


def test_control_characters_never_reach_a_font() -> None:
    assert typeset("a\nb\x07", 20)[0] == "a\\nb\\x07"


def test_no_font_lacks_a_glyph_of_what_it_is_given() -> None:
    for name in ("Straße", "ромашка", "日本の花", "زهرة", "🌻", "crème brûlée", "\U0010fffd"):
        text, face = typeset(name, 20)
        blank = bytes(face.getmask("\U0010ffff"))
        assert text
        assert all(bytes(face.getmask(character)) != blank for character in text if character != " "), name


def test_a_glyph_that_no_font_has_is_escaped() -> None:
    text, _ = typeset("x\U0001f33b\U00013000", 20)  # a sunflower and a hieroglyph
    assert text.endswith("\\U00013000")


@pytest.mark.parametrize("middle", [False, True])
@pytest.mark.parametrize("text", ["i" * 400, "W" * 400, "photos/" * 30 + "img_0001.jpg", "ромашка" * 40])
def test_fitted_text_fits_and_is_not_needlessly_short(text: str, middle: bool) -> None:
    shown, face = fitted(text, 24, 200, middle=middle)
    assert face.getlength(shown) <= 200
    assert face.getlength(shown) > 150
    assert shown.count(ELLIPSIS) == 1


def test_fitted_text_that_fits_is_whole() -> None:
    assert fitted("tulip", 24, 200)[0] == "tulip"


def test_nothing_fits_into_nothing() -> None:
    assert fitted("tulip", 24, 0)[0] in ("", ELLIPSIS)


def test_shortened_keeps_the_ends_of_file_names() -> None:
    assert shortened("flowers/daisy/img_0001.jpg", 12, middle=True) == "flow…0001.jpg"
    assert shortened("a long name", 6) == "a long…"
    assert shortened("short", 5, middle=True) == "short"
