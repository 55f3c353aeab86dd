"""Lists in every file format: what columns mean, and what is said of bad ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardmill.errors import UsageError
from shardmill.sources.base import BATCH_ROWS, Source
from shardmill.sources.delimited import CsvRows
from shardmill.storage import open_store

pytestmark = pytest.mark.oldest

Listing = Callable[..., list[dict[str, Any]]]
Opened = Callable[..., Source]

BARE: dict[str, Any] = {"offset": None, "size": None, "split": None, "label": None, "group": None}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: str | bytes | pa.Table | list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path, row_group_size=2)
        elif isinstance(content, list):
            path.write_text("\n".join(map(json.dumps, content)))
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


Written = Callable[..., Path]


ROWS: list[dict[str, Any]] = [
    {"file_name": "cat/a.jpg", "label": "cat", "id": 1, "extra": "x,y"},
    {"file_name": "dog/b.jpg", "label": "dog", "id": 2, "extra": 'say "z"'},
    {"file_name": "c.jpg", "label": None, "id": None, "extra": None},
]


def test_the_same_list_in_three_formats(tmp_path: Path, written: Written, listing: Listing) -> None:
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "label", "id", "extra"])
        writer.writeheader()
        writer.writerows(ROWS)
    want: list[dict[str, Any]] = [
        BARE | {"key": "cat/a.jpg", "uri": "cat/a.jpg", "label": "cat", "col:id": 1, "col:extra": "x,y"},
        BARE | {"key": "dog/b.jpg", "uri": "dog/b.jpg", "label": "dog", "col:id": 2, "col:extra": 'say "z"'},
        BARE | {"key": "c.jpg", "uri": "c.jpg", "label": None, "col:id": None, "col:extra": None},
    ]
    assert listing(written("list.jsonl", ROWS)) == want
    assert listing(written("list.parquet", pa.Table.from_pylist(ROWS))) == want
    as_text = {1: "1", 2: "2", None: ""}
    assert listing(tmp_path / "list.csv") == [
        row | {"col:id": as_text[row["col:id"]], "col:extra": row["col:extra"] or ""} for row in want
    ]


def test_root_is_the_folder_of_the_list(written: Written, open_plain: Opened) -> None:
    path = written("list.csv", "path\na.jpg\n")
    source = open_plain(path)
    assert (source.root, source.unique_keys, source.numeric_labels) == (str(path.parent), False, True)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_delimiters_and_byte_order_marks(written: Written, listing: Listing, delimiter: str, start: str) -> None:
    lines = [("Image_Path", "CLASS"), ("a.jpg", "tench"), ("b c.jpg", "hen")]
    text = start + "\r\n".join(delimiter.join(line) for line in lines) + "\r\n"
    assert [(row["uri"], row["label"]) for row in listing(written("x.csv", text))] == lines[1:]


def test_values_with_delimiters_newlines_and_quotes(written: Written, listing: Listing) -> None:
    text = 'file_name,label,note\n"a,1.jpg",cat,"two\nlines"\n\n"say ""b"".jpg",dog,\n'
    assert [(row["uri"], row["label"], row["col:note"]) for row in listing(written("x.csv", text))] == [
        ("a,1.jpg", "cat", "two\nlines"),
        ('say "b".jpg', "dog", ""),
    ]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.text("ab,;\t|\" '\n", min_size=1).filter(lambda name: name == name.strip()),
        min_size=2,
        max_size=4,
        unique=True,
    ),
    rows=st.lists(st.lists(TEXT, min_size=4, max_size=4), max_size=6),
)
def test_what_csv_writes_is_what_is_read(tmp_path: Path, names: list[str], rows: list[list[str]]) -> None:
    header = ["file_name", *[f"x{name}x" for name in names]]
    records = [row[: len(header)] + [""] * (len(header) - len(row)) for row in rows]
    with (tmp_path / "list.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *records])
    read = CsvRows(open_store(str(tmp_path)), "list.csv")
    assert read.schema.names == header
    assert [list(row.values()) for batch, _ in read.batches() for row in batch.to_pylist()] == records


def test_columns_by_name(written: Written, listing: Listing) -> None:
    rows = [{"where": "a.jpg", "what": 3, "who": "x", "part": "Val", "of": 7, "url": "http://h/a", "label": "other"}]
    spec = {"image_col": "where", "label_col": "what", "key_col": "who", "split_col": "part", "group_col": "of"}
    want = BARE | {"key": "x", "uri": "a.jpg", "label": "3", "split": "val", "group": "7"}
    want |= {"col:url": "http://h/a", "col:label": "other"}
    assert listing(written("x.jsonl", rows), **spec) == [want]
    assert listing(written("x.parquet", pa.Table.from_pylist(rows)), **spec) == [want]


def test_a_column_called_split_is_one(written: Written, listing: Listing) -> None:
    assert [row["split"] for row in listing(written("x.csv", "file,split\na.jpg,train\nb.jpg,TEST\nc.jpg,\n"))] == [
        "train",
        "test",
        None,
    ]


def test_a_split_that_leads_elsewhere_is_refused(written: Written, listing: Listing) -> None:
    with pytest.raises(UsageError, match=r"'\.\./x' cannot name a split"):
        listing(written("x.csv", "file,split\na.jpg,../x\n"))


def test_sizes_are_taken_from_an_unmistakable_column(written: Written, listing: Listing) -> None:
    rows = listing(written("x.csv", "file,file_size,size\na.jpg,120,640x480\nb.jpg,?,\n"))
    assert [(row["size"], row["col:file_size"], row["col:size"]) for row in rows] == [
        (120, "120", "640x480"),
        (None, "?", ""),
    ]


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        (pa.array([0, 12, None]), ["0", "12", None]),
        (pa.array([-1, 2, 3], pa.int8()), ["-1", "2", "3"]),
        (pa.array([0.0, float("nan"), None]), ["0", None, None]),
        (pa.array([True, False, None]), ["1", "0", None]),
        (pa.array(["a", " b ", ""]), ["a", "b", None]),
        (pa.array(["3.0", "04", "1.50"]), ["3", "04", "1.50"]),
        (pa.array(["a", "b", "a"], pa.large_string()), ["a", "b", "a"]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", None]),
    ],
)
def test_labels_of_every_type(written: Written, listing: Listing, column: pa.Array, labels: list[str | None]) -> None:
    table = pa.table({"file_name": ["a.jpg", "b.jpg", "c.jpg"], "label": column})
    assert [row["label"] for row in listing(written("x.parquet", table))] == labels


def test_columns_are_carried_with_their_types(written: Written, open_plain: Opened) -> None:
    table = pa.table(
        {
            "file_name": ["a.jpg"], "i": pa.array([1], pa.int16()), "t": pa.array([0], pa.timestamp("us")),
            "d": pa.array(["x"]).dictionary_encode(), "l": [[1, 2]], "thumbnail": [b"..."],
        }
    )  # fmt: skip
    [batch] = open_plain(written("x.parquet", table), image_col="file_name").batches()
    carried = {field.name: str(field.type) for field in batch.schema if field.name.startswith("col:")}
    assert carried == {"col:i": "int16", "col:t": "timestamp[us]", "col:d": "string", "col:l": "list<element: int64>"}


def test_rows_without_a_location_are_listed(written: Written, listing: Listing) -> None:
    rows = listing(written("x.csv", "file,label\na.jpg,x\n,y\nb.jpg,z\n"))
    assert [(row["key"], row["uri"], row["label"]) for row in rows] == [
        ("a.jpg", "a.jpg", "x"), ("row-000000001", "", "y"), ("b.jpg", "b.jpg", "z"),
    ]  # fmt: skip


def test_row_numbers_go_on_from_batch_to_batch(written: Written, listing: Listing) -> None:
    rows = listing(written("x.csv", "file,label\n" + "a.jpg,x\n" * BATCH_ROWS + ",y\n"))
    assert rows[-1]["key"] == f"row-{BATCH_ROWS:09d}"


def test_keys_that_users_give_are_made_safe(written: Written, listing: Listing) -> None:
    rows = listing(written("x.csv", "file,id\na.jpg,../../etc/passwd\nb.jpg,\nc.jpg,/x\n"), key_col="id")
    assert [row["key"] for row in rows] == ["__/__/etc/passwd", "row-000000001", "x"]


def test_json_values_of_mixed_types(written: Written, listing: Listing) -> None:
    values = [None, 1, 2.5, True, "t", [1, {"a": "\u00e9"}], 2**70]
    rows = listing(written("x.jsonl", [{"file": "a.jpg", "v": value} for value in values]))
    assert [row["col:v"] for row in rows] == [None, "1", "2.5", "true", "t", '[1, {"a": "\\u00e9"}]', str(2**70)]
    rows = listing(written("x.jsonl", [{"file": "a.jpg"}, {"v": 1, "file": "b.jpg"}, {"file": "c.jpg", "v": 0.5}]))
    assert [row["col:v"] for row in rows] == [None, 1.0, 0.5]


def test_text_list(written: Written, open_plain: Opened) -> None:
    source = open_plain(written("x.txt", b"\xef\xbb\xbfa b.jpg\r\n\n# note 1\n/data/c\xff.jpg\n"))
    [batch] = source.batches()
    assert batch["uri"].to_pylist() == ["a b.jpg", "/data/c\U0010feff.jpg"]
    assert batch["label"].null_count == 2
    assert source.ignored == {"blank line": 1, "comment line": 1}


def test_text_list_with_class_numbers(written: Written, listing: Listing) -> None:
    rows = listing(written("train.lst", "a b.jpg 0\nc.jpg\t12\n"))
    assert [(row["uri"], row["label"]) for row in rows] == [("a b.jpg", "0"), ("c.jpg", "12")]
    rows = listing(written("names.txt", "a.jpg 0\nphoto 12\nc.jpg\n"))
    assert [(row["uri"], row["label"]) for row in rows] == [("a.jpg 0", None), ("photo 12", None), ("c.jpg", None)]


def test_text_list_that_loses_its_class_numbers(written: Written, listing: Listing) -> None:
    with pytest.raises(UsageError, match=r"x\.txt, line 1002 ends in no class number"):
        listing(written("x.txt", "a.jpg 1\n" * 1001 + "b.jpg\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "a,b\n1,2\n", r"x\.csv has no column with a usual name .* it has: a, b\. Name one of them with --image-col"),
        ("x.csv", "path,url\n1,2\n", r"several columns that could be meant: path, url\. Name one of them with --image-col"),
        ("x.csv", "path,label,class\n1,2,3\n", r"could be meant: label, class\. Name one of them with --label-col"),
        ("x.csv", "path,path\n1,2\n", r"more than one column called path"),
        ("x.csv", "cat/a.jpg,3\ncat/b.jpg,4\n", r"has no header; put a first line"),
        ("x.csv", "", r"x\.csv is empty"),
        ("x.csv", 'path,label\na.jpg,cat\n"b\n.jpg",cat\n\nc.jpg\n', r"x\.csv, line 6: 1 values where the header names 2 columns"),
        ("x.csv", 'path,label\na.jpg,"cat\n', r"x\.csv, line 2: unexpected end of data"),
        ("x.csv", b"path,label\na\xff.jpg,cat\n", r"x\.csv is not UTF-8 text .*iconv"),
        ("x.csv", "path,label\n".encode("utf-16"), r"x\.csv is not UTF-8 text"),
        ("x.jsonl", '{"path": "a"}\n\n{"path": \n', r"x\.jsonl, line 3 is not JSON"),
        ("x.jsonl", '{"path": "a"}\n["b"]\n', r"x\.jsonl, line 2 holds no JSON object"),
        ("x.jsonl", '{"path": "\\ud800"}\n', r"x\.jsonl, line 1 is not JSON in UTF-8"),
        ("x.jsonl", b'{"path": "\xff"}\n', r"x\.jsonl, line 1 is not JSON in UTF-8"),
        ("x.jsonl", "[" * 100_000, r"x\.jsonl, line 1 is not JSON"),
        ("x.jsonl", "\n", r"x\.jsonl holds no rows"),
        ("x.jsonl", '{"path": 3}\n', r"column 'path' of x\.jsonl holds int64"),
        ("x.jsonl", '{"path": "a", "label": ["x"]}\n', r"column 'label' of x\.jsonl holds no single values"),
        ("x.jsonl", '{"path": "a", "label": 0.5}\n', r"column 'label' of x\.jsonl holds fractions"),
        ("x.parquet", b"PAR1 not really", r"x\.parquet cannot be read as Parquet"),
        ("x.parquet", b"", r"x\.parquet cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_bad_lists(written: Written, listing: Listing, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        listing(written(name, content))


@pytest.mark.parametrize("flag", ["image_col", "label_col", "key_col", "split_col", "group_col"])
def test_a_column_that_is_not_there(written: Written, listing: Listing, flag: str) -> None:
    option = "--" + flag.replace("_", "-")
    with pytest.raises(
        UsageError, match=rf"x\.csv has no column 'nope'; it has: path, x\. Name one of them with {option}"
    ):
        listing(written("x.csv", "path,x\na.jpg,1\n"), **{flag: "nope"})


def test_a_parquet_file_damaged_in_the_middle(written: Written, listing: Listing) -> None:
    path = written("x.parquet", pa.table({"path": [f"{number}.jpg" for number in range(1000)]}))
    content = bytearray(path.read_bytes())
    content[40:2000] = b"\xff" * 1960
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.parquet cannot be read as Parquet"):
        listing(path)


def test_several_parquet_files(written: Written, listing: Listing) -> None:
    for number, split in enumerate(["train", "validation"]):
        written(f"{split}-00000-of-00001.parquet", pa.table({"path": [f"{number}.jpg"], "label": [number]}))
    folder = written("x.md", "").parent
    assert [(row["uri"], row["split"], row["label"]) for row in listing(folder)] == [
        ("0.jpg", "train", "0"), ("1.jpg", "validation", "1"),
    ]  # fmt: skip
    written("z.parquet", pa.table({"path": ["2.jpg"]}))
    with pytest.raises(UsageError, match=r"z\.parquet and train-00000-of-00001\.parquet differ in their columns"):
        listing(folder)
