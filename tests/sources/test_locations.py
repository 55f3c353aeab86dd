from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.sources.locations import safe_key, uris_and_keys

pytestmark = pytest.mark.oldest

LOCATIONS = (
    st.lists(st.sampled_from(["..", ".", "", "a", "b.jpg", "c:", "s3:", "file:", "\u00e9", "..."])).map("/".join)
    | st.text()
)


@given(LOCATIONS)
def test_no_key_leads_anywhere_else(location: str) -> None:
    key = safe_key(location)
    assert not key.startswith("/")
    assert key == "" or not {"", ".", ".."} & set(key.split("/"))
    assert safe_key(key) == key


@given(st.lists(LOCATIONS | st.none()))
def test_whole_columns_agree_with_single_locations(locations: list[str | None]) -> None:
    uris, keys = uris_and_keys(pa.array(locations, pa.string()), first_row=7)
    assert keys.to_pylist() == [safe_key(text or "") or f"row-{row:09d}" for row, text in enumerate(locations, start=7)]
    assert [uri for uri in uris.to_pylist() if not uri.lower().startswith("/")] == [
        text or "" for text in locations if not (text or "").lower().startswith(("/", "file:///"))
    ]


@pytest.mark.parametrize(
    ("location", "uri", "key"),
    [
        ("cat/a.jpg", "cat/a.jpg", "cat/a.jpg"),
        ("./cat//a.jpg", "./cat//a.jpg", "cat/a.jpg"),
        ("../other/a.jpg", "../other/a.jpg", "__/other/a.jpg"),
        ("a/../../../b.jpg", "a/../../../b.jpg", "a/__/__/__/b.jpg"),
        ("/data/a.jpg", "/data/a.jpg", "data/a.jpg"),
        ("gs://bucket/a.jpg", "gs://bucket/a.jpg", "bucket/a.jpg"),
        ("https://host/a.jpg?x=1", "https://host/a.jpg?x=1", "host/a.jpg?x=1"),
        ("file:///data/a.jpg", "/data/a.jpg", "data/a.jpg"),
        ("..", "..", "__"),
        ("", "", "row-000000003"),
        ("/", "/", "row-000000003"),
        (None, "", "row-000000003"),
    ],
)
def test_uri_and_key(location: str | None, uri: str, key: str) -> None:
    uris, keys = uris_and_keys(pa.array([location], pa.string()), first_row=3)
    assert (uris.to_pylist(), keys.to_pylist()) == ([uri], [key])
