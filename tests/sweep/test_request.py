from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.errors import UsageError
from shardmill.sweep.evidence import Cell
from shardmill.sweep.plan import plan_sweep
from shardmill.sweep.request import parse_request, read_request

SHAPE = {"name": "one", "provider": "local", "workers": 1, "cores": 1, "memory": "1GB"}
TWO = [SHAPE, {**SHAPE, "name": "two", "workers": 2}]
GOOD = {"job": "prepare 'my photos' work/{run} --size 64", "shapes": TWO, "partitions": [1, 4], "repetitions": 3}


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shapes.yaml"
    path.write_text(
        "job: shardmill prepare photos work/{run}\nexpect: 2m\nkeep_outputs: true\n"
        "shapes:\n  - {name: one, provider: local, workers: 1, cores: 2, memory: 2GB, usd_per_hour: 0.1}\n"
    )
    request = read_request(path)
    assert request.job == ("prepare", "photos", "work/{run}")
    assert (request.workload, request.expect_s, request.keep_outputs) == ("prepare-photos", 120.0, True)
    assert (request.partitions, request.repetitions, request.shapes[0].usd_per_hour) == ((None,), 1, 0.1)


def test_words_of_a_run() -> None:
    request = parse_request(GOOD, "f")
    assert request.words(Cell("one", 4), "one-x") == (
        *("prepare", "my photos", "work/one-x", "--size", "64"),
        *("--engine", "spark", "--partitions", "4"),
    )
    other = parse_request({**GOOD, "job": "prepare a b/{run} --engine=local --partitions {partitions}"}, "f")
    assert other.words(Cell("one", 4), "x") == ("prepare", "a", "b/x", "--engine=local", "--partitions", "4")
    speed = parse_request({"job": "speedtest shards/", "shapes": TWO}, "f")
    assert speed.words(Cell("one", None), "x") == ("speedtest", "shards/", "--engine", "spark")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"job": ""}, "lacks 'job'"),
        ({"job": 7}, "write a command"),
        ({"job": "prepare 'a b/{run}"}, "close its quotes"),
        ({"job": "prepare a b"}, r"put \{run\} into DEST"),
        ({"job": "prepare a b/{run}/{shape}"}, r"only \{run\} and \{partitions\}"),
        ({"job": "speedtest a"}, "does not take the number of partitions"),
        ({"job": "prepare a b/{run} --partitions 3"}, "sets --partitions itself"),
        ({"shapes": "one"}, "write a list"),
        ({"shapes": []}, "lacks 'shapes'"),
        ({"shapes": [SHAPE, SHAPE]}, "two shapes are called 'one'"),
        ({"partitions": [0]}, "at least 1"),
        ({"partitions": [True]}, "at least 1"),
        ({"partitions": [2, 2]}, "raise repetitions"),
        ({"repetitions": "3"}, "whole number"),
        ({"repetitions": 0}, "at least 1"),
        ({"expect": "soon"}, "write it like 90s"),
        ({"keep_outputs": "yes"}, "true or false"),
        ({"workload": 3}, "it is a name"),
        ({"repetition": 3}, "did you mean 'repetitions'"),
    ],
)
def test_what_makes_no_sense_is_said(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_request({**GOOD, **change}, "shapes.yaml")


def test_plan_is_random_whole_and_the_same_for_a_seed() -> None:
    request = parse_request(GOOD, "f")
    plan = plan_sweep(request, 0)
    assert plan == plan_sweep(request, 0)
    assert len({tuple(run.cell for run in plan_sweep(request, seed)[0].runs) for seed in range(9)}) > 3
    assert len({plan_sweep(request, seed)[0].spec.name for seed in range(9)}) == 2
    assert [run.position for cluster in plan for run in cluster.runs] == list(range(12))
    for cluster in plan:
        rounds = [cluster.runs[start : start + 2] for start in range(0, 6, 2)]
        assert [sorted(run.cell.partitions or 0 for run in one) for one in rounds] == [[1, 4]] * 3
        assert [run.repetition for run in cluster.runs] == [0, 0, 1, 1, 2, 2]
