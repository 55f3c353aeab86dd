from __future__ import annotations

import pytest

from shardmill.errors import UsageError
from shardmill.sources.globs import matcher

pytestmark = pytest.mark.oldest


@pytest.mark.parametrize(
    ("glob", "matches", "others"),
    [
        ("*.jpg", ["a.jpg", "x/y/a.jpg", "x/.jpg", "new\nline.jpg"], ["a.JPG", "a.jpg.txt", "a.jpg/b"]),
        ("x/*.jpg", ["x/a.jpg"], ["a.jpg", "x/y/a.jpg", "z/x/a.jpg"]),
        ("**/*.jpg", ["a.jpg", "x/y/a.jpg"], ["a.png"]),
        ("x/**", ["x/a", "x/y/z"], ["a", "y/x/a"]),
        ("?.[jp]*", ["a.jpg", "b.png"], ["ab.jpg", "a.gif"]),
        ("[!a]/b", ["x/b"], ["a/b", "//b", "b"]),
        ("/a.jpg", ["a.jpg"], ["x/a.jpg"]),
        ("a+(b).jpg", ["a+(b).jpg"], ["aab.jpg"]),
        ("[x.jpg", ["[x.jpg"], ["x.jpg"]),
    ],
)
def test_globs(glob: str, matches: list[str], others: list[str]) -> None:
    matched = matcher([glob])
    assert [path for path in [*matches, *others] if matched(path)] == matches


def test_any_of_several() -> None:
    assert [path for path in ("a.jpg", "b.png", "c.gif") if matcher(["*.jpg", "*.png"])(path)] == ["a.jpg", "b.png"]


def test_impossible_range() -> None:
    with pytest.raises(UsageError, match=r"--include \[z-a\] is not a glob: .*; write it like \*\.jpg"):
        matcher(["[z-a]"])
