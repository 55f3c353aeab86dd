"""From the location of an image, as a list gives it, to its uri and its key."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_SCHEME: Final = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://")
_FILE_URL: Final = re.compile(r"\Afile://(?=/)", re.IGNORECASE)
_NOT_PLAIN: Final = r"^$|^/|//|(?:^|/)\.\.?(?:/|$)|/$"
"""Locations whose uri or key may differ from them, in RE2 syntax."""


def safe_key(location: str) -> str:
    """A relative path made of `location`, empty where nothing is left of it.

    Scheme, leading `/`, empty and `.` segments go; a `..` segment becomes `__`. So no key leads out of a folder, and two
    different locations may get the same key.
    """
    segments = _SCHEME.sub("", location).split("/")
    return "/".join("__" if segment == ".." else segment for segment in segments if segment not in ("", "."))


def row_key(row: int) -> str:
    """The key of a row that has none; rows count from 0."""
    return f"row-{row:09d}"


def uri_of(location: str) -> str:
    """`location` as it is, but a `file://` URL as its path. Lists name files as `names.to_text` does."""
    return _FILE_URL.sub("", location)


def uris_and_keys(locations: pa.Array, first_row: int) -> tuple[pa.Array, pa.Array]:
    """The uri and key of each location; a null or empty one gets the uri "" and a key of its row number.

    Args:
        locations: strings.
        first_row: row number of the first of them.
    """
    given = pc.fill_null(locations, "")
    odd = pc.indices_nonzero(pc.match_substring_regex(given, _NOT_PLAIN)).to_pylist()
    if not odd:
        return given, given
    uris, keys = given.to_pylist(), given.to_pylist()
    for row in odd:
        keys[row] = safe_key(uris[row]) or row_key(first_row + row)
        uris[row] = uri_of(uris[row])
    return pa.array(uris, pa.string()), pa.array(keys, pa.string())


def given_keys(column: pa.Array, first_row: int) -> pa.Array:
    """Keys that the user gave, as text, made safe like any other."""
    return uris_and_keys(column, first_row)[1]
