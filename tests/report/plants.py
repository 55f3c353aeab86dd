"""For every sort of sentence that advice can hold: measurements in which it must stand, and others in which it must not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from PIL import Image

from shardmill.operations.prepare.run import prepare
from shardmill.operations.report.prepared import prepared_findings
from shardmill.report.advice import Gap, gaps
from shardmill.report.evidence import Evidence
from shardmill.report.finding import Finding, Use
from shardmill.report.sections.agreement import agreement_section
from shardmill.report.sections.pick import pick_findings
from shardmill.report.throughput.findings import findings
from shardmill.report.throughput.findings.machines import machine_findings
from shardmill.report.throughput.study import ReadSet, study
from shardmill.runs import open_run
from shardmill.speedtest.record import Measurement
from tests.report.speed_test import CORES, PER_IMAGE, measurements, write_run
from tests.report.sweep_plants import SWEEP_PLANTS

Rows = list[Measurement]
Case = Callable[[], Sequence[Finding | Gap]]

_ALIKE: Final = dict.fromkeys(PER_IMAGE, 300e-6)
_SLOW_SHARDS: Final = {**PER_IMAGE, "files": 100e-6}
_FLAT: Final[dict[str, Any]] = {
    "formats": ("tfrecord",),
    "batch_sizes": (2048, 4096, 8192),
    "num_batches": (512, 1024),
}
_SMALL: Final[dict[str, Any]] = {"batch_sizes": (8, 64), "num_batches": (8, 16, 32), "repetitions": 3}
_LARGE: Final[dict[str, Any]] = {"batch_sizes": (16, 64), "num_batches": (8, 16), "repetitions": 3}


def said(rows: Callable[[], Rows], cores: int = CORES, sets: Mapping[str, ReadSet] | None = None) -> Case:
    """What the rows of one machine say."""
    return lambda: findings(study(rows(), cores, sets), "here")


def grid(**options: Any) -> Callable[[], Rows]:
    return lambda: measurements(**options)


def changed(rows: Callable[[], Rows], change: Callable[[Measurement], dict[str, Any]]) -> Callable[[], Rows]:
    """The rows with what `change` says of each in the place of what they held."""
    return lambda: [replace(row, **change(row)) for row in rows()]


def with_(*several: Callable[[], Rows]) -> Callable[[], Rows]:
    return lambda: [row for rows in several for row in rows()]


def taking(factor: float) -> Callable[[Measurement], dict[str, Any]]:
    """Batches of 64 take `factor` times as long."""

    def change(row: Measurement) -> dict[str, Any]:
        return {"elapsed_s": row.elapsed_s * (factor if row.batch_size == 64 else 1.0)}

    return change


def _set(size: int, images: int = 1000) -> ReadSet:
    """In shards of `size` bytes."""
    return ReadSet(f"/data/{size}", "tfrecord", 10, size * 10, images)


_TWO_SIZES: Final = {"large-tfrecord": _set(64_000_000), "small-tfrecord": _set(4_000_000)}
_ONE_SIZE: Final = {"large-tfrecord": _set(64_000_000), "small-tfrecord": _set(64_000_000)}
_OTHER_IMAGES: Final = {"large-tfrecord": _set(64_000_000), "small-tfrecord": _set(4_000_000, images=77)}


def two_sets(slower: float) -> Callable[[], Rows]:
    """The same images twice; reading the second takes `slower` times as long."""
    common: dict[str, Any] = {**_SMALL, "formats": ("tfrecord",), "first_noise": 0.05}
    return with_(grid(dataset="large", **common), grid(dataset="small", slower=slower, seed=7, **common))


_MEASURED: Final = grid(**_SMALL, formats=("tfrecord",))
_TWO_FORMATS: Final = partial(grid, formats=("tfrecord", "parquet"), first_noise=0.05, **_SMALL)
_TWO_LEVELS: Final = partial(grid, formats=("tfrecord",), first_noise=0.05, **_SMALL)


def machines(slower: float) -> Case:
    """Two machines, of which the second takes `slower` times as long."""
    one, two = (_TWO_LEVELS(seed=seed, slower=factor) for seed, factor in ((0, 1.0), (5, slower)))
    return lambda: list(machine_findings([("one", study(one(), CORES)), ("two", study(two(), CORES))], "here"))


def again(**second: Any) -> Case:
    """Two runs of one grid, or of two."""

    def case() -> Sequence[Finding]:
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                open_run(write_run(Path(folder) / name, rows))
                for name, rows in (("one", measurements(**_SMALL)), ("two", measurements(**{**_SMALL, **second})))
            ]
            section = agreement_section(runs)
        return () if section is None else section.findings

    return case


def picked(**changes: Any) -> Case:
    """A search that found something."""
    result = {
        "best": "4 x n2-standard-8", "workload": "convert", "run_usd": 0.42, "run_usd_interval": (0.38, 0.47),
        "runtime_s": 380.0, "objective": "cost", "trials": [{}, {}, {}], "exhaustive_usd": 12.0, "search_usd": 1.5,
        "exhaustive_measured": True, **changes,
    }  # fmt: skip
    return lambda: pick_findings(result, "here")


@cache
def _prepared(broken: bool, copies: bool) -> tuple[Finding, ...]:
    with tempfile.TemporaryDirectory() as name:
        photos, shards = Path(name) / "photos", Path(name) / "shards"
        photos.mkdir()
        for number in range(24):
            shade = 10 * (0 if copies else number)
            Image.new("RGB", (24, 24), (shade, 90, 120)).save(photos / f"{number}.png")
        if broken:
            (photos / "b.jpg").write_text("no image")
        options: dict[str, Any] = {"splits": "train=0.5,val=0.5", "max_errors": "10%", "workers": 1, "size": "16"}
        prepare(str(photos), str(shards), **options)
        return tuple(prepared_findings(str(shards), "here"))


def prepared(*, broken: bool = False, copies: bool = False) -> Case:
    return lambda: _prepared(broken, copies)


def seen(
    rows: Callable[[], Rows] | None = None, sets: Mapping[str, ReadSet] | None = None, kinds: Iterable[str] = ()
) -> Evidence:
    found = () if rows is None else tuple(rows())
    return Evidence(found, sets or {}, (), frozenset(kinds))


def missing(
    use: Use,
    rows: Callable[[], Rows] | None = None,
    sets: Mapping[str, ReadSet] | None = None,
    kinds: Iterable[str] = (),
    known: Sequence[Finding] = (),
) -> Case:
    """The gaps of one use, with the findings of the rows, and those that are known besides."""

    def case() -> Sequence[Gap]:
        found = [] if rows is None else list(findings(study(rows(), CORES, sets), "here"))
        return gaps(use, [*found, *known], seen(rows, sets, kinds))

    return case


def _sweep_says(topic: Any) -> Finding:
    return Finding(
        "of-a-sweep", "cost", "One costs 2 times as much as the other.", 2.0, "x", (1.5, 2.5), "there", (topic,)
    )


_ONE: Final[dict[str, Any]] = {"formats": ("tfrecord",), "batch_sizes": (8, 64), "num_batches": (8,), "repetitions": 3}


_DOMINATED: Final[dict[str, Any]] = {
    "formats": ("tfrecord",), "batch_sizes": (64, 128, 256), "num_batches": (16, 32, 64), "parallel_reads": (1, 2), "noise": 0.01
}  # fmt: skip


def _readers(shards: str, files: str) -> Callable[[], Rows]:
    return with_(
        grid(**_SMALL, formats=("tfrecord",), readers=(shards,)), grid(**_SMALL, formats=("files",), readers=(files,))
    )


def _drifting(way: int) -> Case:
    """Passes take longer and longer, or less and less time."""
    return said(changed(grid(), lambda row: {"elapsed_s": row.elapsed_s * (1 + row.position / 600) ** way}))


PLANTS: Final[dict[str, tuple[Case, Case]]] = {
    # batch
    "fastest-combination": (said(_MEASURED), said(list)),
    "strongest-factor": (said(grid(formats=("tfrecord",))), said(grid(**_FLAT))),
    "format-faster": (said(_TWO_FORMATS()), said(_TWO_FORMATS(per_image=_ALIKE))),
    "format-same": (said(_TWO_FORMATS(per_image=_ALIKE)), said(_TWO_FORMATS())),
    "shards-faster": (said(grid(**_SMALL)), said(grid(**_SMALL, per_image=_SLOW_SHARDS))),
    "shards-slower": (said(grid(**_SMALL, per_image=_SLOW_SHARDS)), said(grid(**_SMALL))),
    "shards-and-files-same": (said(grid(**_SMALL, per_image=_ALIKE)), said(grid(**_SMALL))),
    "shard-size-faster": (said(two_sets(1.3), sets=_TWO_SIZES), said(two_sets(1.0), sets=_TWO_SIZES)),
    "shard-size-same": (said(two_sets(1.0), sets=_TWO_SIZES), said(two_sets(1.3), sets=_TWO_SIZES)),
    "batch-size-enough": (
        said(grid(formats=("tfrecord",), batch_sizes=(256, 512), num_batches=(8,))),
        said(grid(formats=("tfrecord",), batch_sizes=(1, 2, 4), num_batches=(8,))),
    ),
    "batch-size-largest": (
        said(grid(formats=("tfrecord",), batch_sizes=(1, 2, 4), num_batches=(8,))),
        said(grid(formats=("tfrecord",), batch_sizes=(256, 512), num_batches=(8,))),
    ),
    "batch-size-same": (
        said(grid(formats=("tfrecord",), batch_sizes=(2, 4), num_batches=(8,), noise=0.6, seed=3)),
        said(grid(formats=("tfrecord",), batch_sizes=(1, 2, 4), num_batches=(8,))),
    ),
    "batch-size-best": (
        said(changed(grid(formats=("tfrecord",), batch_sizes=(2, 8, 64), num_batches=(4,)), taking(2.5))),
        said(grid(formats=("tfrecord",), batch_sizes=(2, 8, 64), num_batches=(4,))),
    ),
    "parallel-reads-gain": (said(_TWO_LEVELS(parallel_reads=(1, 2))), said(_TWO_LEVELS(parallel_reads=(2, 4)))),
    "parallel-reads-gain-nothing": (said(_TWO_LEVELS(parallel_reads=(2, 4))), said(_TWO_LEVELS(parallel_reads=(1, 2)))),
    # streaming
    "first-batch": (said(_MEASURED), said(grid(**_LARGE))),
    "small-batches-cost": (said(_MEASURED), said(grid(**_SMALL, overhead=0.0))),
    "small-batches-free": (said(grid(**_SMALL, overhead=0.0)), said(_MEASURED)),
    "first-batch-format-sooner": (
        said(_TWO_FORMATS(per_image={**PER_IMAGE, "parquet": 900e-6})),
        said(_TWO_FORMATS(per_image=_ALIKE)),
    ),
    "first-batch-format-same": (
        said(_TWO_FORMATS(per_image=_ALIKE)),
        said(_TWO_FORMATS(per_image={**PER_IMAGE, "parquet": 900e-6})),
    ),
    "first-batch-shard-size-sooner": (said(two_sets(1.3), sets=_TWO_SIZES), said(two_sets(1.0), sets=_TWO_SIZES)),
    "first-batch-shard-size-same": (said(two_sets(1.0), sets=_TWO_SIZES), said(two_sets(1.3), sets=_TWO_SIZES)),
    "first-batch-reads-sooner": (said(_TWO_LEVELS(parallel_reads=(1, 2))), said(_TWO_LEVELS(parallel_reads=(2, 4)))),
    "first-batch-reads-later": (
        said(
            changed(
                _TWO_LEVELS(parallel_reads=(1, 4)),
                lambda row: {"first_batch_s": row.first_batch_s * row.parallel_reads},
            )
        ),
        said(_TWO_LEVELS(parallel_reads=(1, 4))),
    ),
    "first-batch-reads-same": (said(_TWO_LEVELS(parallel_reads=(2, 4))), said(_TWO_LEVELS(parallel_reads=(1, 2)))),
    "first-batch-cold-later": (
        said(_TWO_LEVELS(caches=("warm", "cold"), first_noise=0.01)),
        said(_TWO_LEVELS(caches=("warm", "cold"), per_image=dict.fromkeys(PER_IMAGE, 2e-3))),
    ),
    "first-batch-cold-same": (
        said(_TWO_LEVELS(caches=("warm", "cold"), per_image=dict.fromkeys(PER_IMAGE, 2e-3))),
        said(_TWO_LEVELS(caches=("warm", "cold"), first_noise=0.01)),
    ),
    # machines
    "machine-faster": (machines(1.3), machines(1.0)),
    "machine-same": (machines(1.0), machines(1.3)),
    "machine-sooner": (machines(1.3), machines(1.0)),
    "machine-as-soon": (machines(1.0), machines(1.3)),
    # hardware
    "processor-limits": (said(grid(noise=0.01)), said(grid(noise=0.01), cores=16)),
    "reading-limits": (
        said(grid(formats=("tfrecord",), caches=("cold",), decode=(True, False), num_batches=(32,), noise=0.01)),
        said(grid(formats=("tfrecord",), caches=("warm",), decode=(True, False), num_batches=(32,), noise=0.01)),
    ),
    "nothing-is-full": (said(grid(noise=0.01), cores=16), said(grid(noise=0.01))),
    "disk-slow": (
        said(_TWO_LEVELS(caches=("warm", "cold"))),
        said(_TWO_LEVELS(caches=("warm", "cold"), per_image=dict.fromkeys(PER_IMAGE, 2e-3)), cores=1),
    ),
    "disk-enough": (
        said(_TWO_LEVELS(caches=("warm", "cold"), per_image=dict.fromkeys(PER_IMAGE, 2e-3)), cores=1),
        said(_TWO_LEVELS(caches=("warm", "cold"))),
    ),
    "cpu-per-image": (said(grid(**_SMALL)), said(_MEASURED)),
    "readers-slow-each-other": (
        said(grid(concurrency=(1, 2, 4), num_batches=(8, 32), repetitions=3)),
        said(grid(num_batches=(8, 32), repetitions=3)),
    ),
    # trust
    "cache-not-as-asked": (said(_TWO_LEVELS(caches=("warm", "cold"), stubborn=3)), said(_MEASURED)),
    "spread": (said(_MEASURED), said(grid(**{**_SMALL, "repetitions": 1}))),
    "few-repetitions": (said(grid(**{**_SMALL, "repetitions": 2})), said(grid(**{**_SMALL, "repetitions": 5}))),
    "drift": (
        said(changed(grid(), lambda row: {"elapsed_s": row.elapsed_s * (1 + row.position / 600)})),
        said(grid()),
    ),
    "nothing-to-find": (said(grid(**_FLAT)), said(grid(formats=("tfrecord",)))),
    "prediction": (said(_MEASURED), said(grid(batch_sizes=(8, 64), num_batches=(8,), repetitions=3))),
    "short-passes": (
        said(changed(_MEASURED, lambda row: {"elapsed_s": row.elapsed_s / 20, "images": row.images // 20})),
        said(_MEASURED),
    ),
    "measured-again": (again(seed=5), again(batch_sizes=(128, 256))),
    "inputs-failed": (prepared(broken=True), prepared()),
    "copies-across-splits": (prepared(copies=True), prepared()),
    # cost
    "pick": (picked(), picked(best=None)),
    "search-cost": (picked(), picked(exhaustive_usd=None)),
    # gaps
    "no-speed-test": (missing("batch"), missing("batch", _MEASURED)),
    "no-small-batch": (missing("streaming", grid(**_LARGE)), missing("streaming", _MEASURED)),
    "one-format": (missing("batch", _MEASURED), missing("batch", _TWO_FORMATS())),
    "only-files": (missing("batch", grid(**_SMALL, formats=("files",))), missing("batch", _MEASURED)),
    "formats-not-alike": (
        missing(
            "batch",
            changed(_TWO_FORMATS(), lambda row: {"bytes_read": row.bytes_read * (2 if row.format == "parquet" else 1)}),
        ),
        missing("batch", _TWO_FORMATS()),
    ),
    "one-shard-size": (missing("batch", two_sets(1.0), _ONE_SIZE), missing("batch", two_sets(1.0), _TWO_SIZES)),
    "shard-sizes-not-known": (missing("batch", two_sets(1.0)), missing("batch", two_sets(1.0), _TWO_SIZES)),
    "shard-sizes-not-alike": (
        missing("batch", two_sets(1.0), _OTHER_IMAGES),
        missing("batch", two_sets(1.0), _TWO_SIZES),
    ),
    "one-batch-size": (
        missing("batch", grid(**{**_SMALL, "batch_sizes": (8,)})),
        missing("batch", _MEASURED),
    ),
    "only-small-batches": (
        missing("streaming", grid(**{**_SMALL, "batch_sizes": (8,)})),
        missing("streaming", _MEASURED),
    ),
    "one-level-of-parallel-reads": (
        missing("streaming", _MEASURED),
        missing("streaming", _TWO_LEVELS(parallel_reads=(1, 2))),
    ),
    "no-cold-pass": (missing("batch", _MEASURED), missing("batch", _TWO_LEVELS(caches=("warm", "cold")))),
    "not-both-caches": (missing("streaming", _MEASURED), missing("streaming", _TWO_LEVELS(caches=("warm", "cold")))),
    "no-sweep": (missing("batch", _MEASURED), missing("batch", _MEASURED, kinds=("sweep",))),
    "one-number-of-partitions": (
        missing("batch", _MEASURED, kinds=("sweep",)),
        missing("batch", _MEASURED, kinds=("sweep",), known=(_sweep_says("partitions"),)),
    ),
    "no-two-shapes": (
        missing("batch", _MEASURED, kinds=("sweep",)),
        missing("batch", _MEASURED, kinds=("sweep",), known=(_sweep_says("shape"),)),
    ),
    "one-machine": (
        missing("streaming", _MEASURED),
        missing(
            "streaming",
            _MEASURED,
            known=(
                Finding("m", "streaming", "On a it is there 2 times as soon.", 2, "x", (1, 3), "there", ("shape",)),
            ),
        ),
    ),
}
"""By kind: in the first it must stand, in the second it must not."""
PLANTS.update(SWEEP_PLANTS)

PHRASES: Final[list[tuple[str, Case, Case]]] = [
    ("the only combination measured", said(grid(**{**_ONE, "batch_sizes": (8,)})), said(grid(**_ONE))),
    ("the fastest of 2 combinations", said(grid(**_ONE)), said(grid(**{**_ONE, "batch_sizes": (8,)}))),
    ("readers at once", said(_TWO_LEVELS(concurrency=(2,), parallel_reads=(1, 2))), said(_TWO_LEVELS(parallel_reads=(1, 2)))),
    ("another may matter as much", said(grid(formats=("tfrecord",), noise=0.3, seed=1)), said(grid(**_DOMINATED))),
    ("; 4 give", said(_TWO_LEVELS(parallel_reads=(1, 2, 4), seed=2)), said(_TWO_LEVELS(parallel_reads=(1, 2)))),
    ("which is slower", said(grid(**_SMALL, per_image=_SLOW_SHARDS)), said(grid(**_SMALL))),
    ("by tf.data (these by the native reader)", said(_readers("tf.data", "native")), said(_readers("native", "native"))),
    ("delivers at least", said(_TWO_LEVELS(caches=("warm", "cold"))), said(_TWO_LEVELS(caches=("warm", "cold"), decode=(True, False)))),
    ("% slower for", _drifting(1), _drifting(-1)),
    ("% faster for", _drifting(-1), _drifting(1)),
    ("and larger ones gain nothing", PLANTS["batch-size-best"][0], said(changed(grid(**_ONE), taking(0.2)))),
    ("with a cold cache", said(grid(**_SMALL, caches=("cold",))), said(grid(**_SMALL))),
]  # fmt: skip
"""Words that stand in a sentence in the first measurements and not in the second."""
