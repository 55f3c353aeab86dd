from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shardmill.errors import DamageError
from shardmill.plan.cut import ShardTask, cut
from shardmill.plan.store import PLAN, Plan, load, read_rows, rows_digest, save
from shardmill.spec import PrepareSpec
from shardmill.storage import Store, open_store
from tests.plan.listings import listed, ordered

TASKS = (
    ShardTask(0, "train", 0, 2, 11, "_plan/rows-train-00000.parquet", (0, 1)),
    ShardTask(1, "train", 1, 2, 10, "_plan/rows-train-00000.parquet", (1, 2)),
)
FOLLOWED = Plan(
    spec=PrepareSpec(splits=(("train", 0.5), ("val", 0.5)), labels=("ä", "b")).to_json(),
    source="photos/",
    source_root="/data/photos",
    fingerprint="native codecs",
    rows_sha256="ab" * 32,
    classes=("ä", "b"),
    listed={"train": 21},
    ignored={".txt": 1, "": 2},
    repeats=3,
    tasks=TASKS,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.mark.oldest
def test_round_trip(store: Store) -> None:
    save(FOLLOWED, store)
    loaded = load(store)
    assert loaded == FOLLOWED
    assert loaded is not None
    assert loaded.digest == FOLLOWED.digest
    assert loaded.tasks[0].groups == (0, 1)


def test_no_plan(store: Store) -> None:
    assert load(store) is None


def damage_text(change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = {"version": 1, **{name: getattr(FOLLOWED, name) for name in Plan.__dataclass_fields__}}
    fields["spec"] = dict(FOLLOWED.spec)
    fields["tasks"] = [
        {
            "number": 0,
            "split": "train",
            "index": 0,
            "of": 1,
            "rows": 21,
            "part": "_plan/rows-train-00000.parquet",
            "groups": [0, 1],
        }
    ]
    change(fields)
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"version": 1}',
        damage_text(lambda fields: fields.pop("version")),
        damage_text(lambda fields: fields.pop("listed")),
        damage_text(lambda fields: fields.update(tasks=None)),
        damage_text(lambda fields: fields.update(tasks=[7])),
        damage_text(lambda fields: fields["tasks"][0].pop("part")),
        damage_text(lambda fields: fields["tasks"][0].update(colour="red")),
        damage_text(lambda fields: fields["tasks"][0].update(groups=None)),
        damage_text(lambda fields: fields["tasks"][0].update(part="../rows-train-00000.parquet")),
        damage_text(lambda fields: fields["tasks"][0].update(split="../train")),
        damage_text(lambda fields: fields["spec"].update(tfds_name="../x")),
    ],
)
def test_damaged_plan_says_what_to_do(content: bytes, store: Store) -> None:
    with store.publish(PLAN) as file:
        file.write(content)
    with pytest.raises(DamageError, match=r"^_plan/plan\.json is damaged \(.*--on-exists overwrite\.$"):
        load(store)


def test_whole_text_is_read(store: Store) -> None:
    """What the cases above damage is whole before."""
    with store.publish(PLAN) as file:
        file.write(damage_text(lambda fields: None))
    loaded = load(store)
    assert loaded is not None
    assert loaded.listed == FOLLOWED.listed


def test_plan_of_another_version(store: Store) -> None:
    with store.publish(PLAN) as file:
        file.write(damage_text(lambda fields: fields.update(version=2)))
    with pytest.raises(DamageError, match=r"has version 2; this shardmill reads 1\. Use the version that wrote it."):
        load(store)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"source": "elsewhere/"}, True),
        ({"source_root": "/mnt/photos"}, True),
        ({"fingerprint": "other codecs"}, False),
        ({"rows_sha256": "cd" * 32}, False),
        ({"spec": PrepareSpec(seed=1).to_json()}, False),
        ({"tasks": TASKS[:1]}, False),
    ],
)
def test_digest_is_of_what_decides_the_bytes(change: dict[str, Any], same: bool) -> None:
    assert (replace(FOLLOWED, **change).digest == FOLLOWED.digest) is same


@pytest.mark.oldest
def test_digest_never_changes() -> None:
    """Literal: another value here makes every unfinished data set start anew."""
    plan = replace(FOLLOWED, spec={"seed": 0})
    assert plan.digest == "1b7b2e30a1c6e9dd0cec21c617205abe30c34a042cd55fe7883ac949acbbf94a"


def cut_few(store: Store, keys: list[str]) -> list[ShardTask]:
    rows = ordered([listed(keys, split=["train"] * len(keys))], PrepareSpec(), Path(store.root))
    return cut(rows, store, {"train": len(keys)}, {"train": 2}, ())


def test_rows_digest_is_of_the_rows(tmp_path: Path) -> None:
    digests = []
    for name, keys in (("one", ["a", "b", "c"]), ("same", ["c", "b", "a"]), ("other", ["a", "b", "d"])):
        store = open_store(str(tmp_path / name))
        (tmp_path / name).mkdir()
        digests.append(rows_digest(cut_few(store, keys), store))
    assert digests[0] == digests[1] != digests[2]


def test_damaged_rows_say_what_to_do(store: Store) -> None:
    task = cut_few(store, ["a", "b", "c"])[0]
    part = Path(store.root) / task.part
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DamageError, match=r"rows-train-00000\.parquet is damaged \(.*--on-exists overwrite"):
        read_rows(task, store)


def test_missing_rows_say_what_to_do(store: Store) -> None:
    task = cut_few(store, ["a", "b", "c"])[0]
    store.remove(task.part)
    with pytest.raises(DamageError, match=r"rows-train-00000\.parquet is damaged \(.*--on-exists overwrite"):
        read_rows(task, store)
