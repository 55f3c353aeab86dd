from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from shardmill.clusters.samples import read_samples
from shardmill.errors import ClusterError
from shardmill.sampling import HostSample


def put(folder: Path, host: str, *starts: float, seconds: float = 1.0, pid: int = 7) -> Path:
    """One object of samples, each of which used half a core."""
    samples = [HostSample(host, start, seconds, 4, seconds / 2, 1000, 500, None, None, 10**9) for start in starts]
    first, last = round(starts[0] * 1000), round((starts[-1] + seconds) * 1000)
    path = folder / host / f"{first}-{last}-{pid}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))
    return path


def test_hosts_become_nodes_with_their_roles(tmp_path: Path) -> None:
    put(tmp_path, "c1-m", 100.0)
    put(tmp_path, "c1-w-0.europe-west4-a.c.project.internal", 100.5)
    put(tmp_path, "10-0-0-9.elsewhere", 101.0)
    samples = read_samples(str(tmp_path), 0.0, 200.0, {"c1-m": "master", "c1-w-0": "worker"})
    assert [(sample.node, sample.role) for sample in samples] == [
        ("c1-m", "master"),
        ("c1-w-0", "worker"),
        ("10-0-0-9.elsewhere", "worker"),
    ]
    assert (samples[0].cores, samples[0].cpu_s, samples[0].network_in_bytes) == (4.0, 0.5, 1000)
    assert (samples[0].disk_read_bytes, samples[0].memory_bytes, samples[0].source) == (None, 10**9, "host")


def test_only_what_lies_between_the_times_is_read(tmp_path: Path) -> None:
    put(tmp_path, "a", 100.0, 101.0, 102.0)
    put(tmp_path, "a", 103.0, 104.0)
    put(tmp_path, "a", 50.0).write_text("{}")  # too early to be looked at
    assert [sample.start for sample in read_samples(str(tmp_path), 101.5, 103.5)] == [101.0, 102.0, 103.0]


def test_two_jobs_on_one_machine_make_one_series(tmp_path: Path) -> None:
    put(tmp_path / "job-1" / "samples", "a", 100.0, 101.0)
    put(tmp_path / "job-2" / "samples", "a", 100.4, 101.4, 102.4, 103.4, pid=8)
    put(tmp_path / "job-2" / "samples", "b", 100.4)
    samples = read_samples(str(tmp_path), 0.0, 200.0)
    assert [(sample.node, sample.start) for sample in samples] == [
        ("a", 100.0),
        ("b", 100.4),
        ("a", 101.0),
        ("a", 102.4),
        ("a", 103.4),
    ]


def test_nothing_published_is_no_samples(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    assert read_samples(str(tmp_path), 0.0, 200.0) == []
    assert read_samples(str(tmp_path / "absent"), 0.0, 200.0) == []


@pytest.mark.parametrize("content", ["{", '{"host": "a"}', "[1]", "1"])
def test_object_that_holds_no_samples_is_named(tmp_path: Path, content: str) -> None:
    path = put(tmp_path, "a", 100.0)
    path.write_text(content)
    with pytest.raises(ClusterError, match=rf"a/{path.name} holds no samples of a machine .*; delete it"):
        read_samples(str(tmp_path), 0.0, 200.0)
