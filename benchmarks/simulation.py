"""Predicted against measured: runs of `prepare` on local Spark clusters, each predicted from runs unlike it.

    PYTHONPATH=. python benchmarks/simulation.py measure --photos PHOTOS --out DIR [--seconds 280]
    PYTHONPATH=. python benchmarks/simulation.py predict --photos PHOTOS --out DIR [--json FILE]

`measure` makes real clusters of 1x1, 1x2 and 2x1 cores and runs jobs of 1 to 16 partitions and 500 to 8,000 images on them, from
files and from a fake-gcs-server behind a proxy that caps latency and bandwidth. It stops before `--seconds` are over, and
the next call makes what is left: blocks of a few runs on one cluster each, all in one random order. `predict` leaves out
every shape, number of partitions, size and store in turn, calibrates on the other runs, and predicts those left out.

A run is begun when the machine is quiet. One during which other processes took more than a tenth of the cores
(`--most-taken`) is thrown away whatever its time was, and made again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil
from inputs import copied, photographs, repeat
from tests.faults.fault_proxy import FaultProxy, Faults, fault_proxy
from tests.stores import GcsServer, gcs_server, upload

from shardmill.clusters.base import Cluster, ClusterSpec, Job, NodeSpec, running
from shardmill.clusters.event_log import read_event_log
from shardmill.clusters.local.folder import STATE_VARIABLE
from shardmill.clusters.local.provider import LocalProvider
from shardmill.machine import available_cores
from shardmill.sweep.evidence import Cell, ClusterSeen, Evidence, RunSeen
from shardmill.sweep.simulation.calibration import calibrate
from shardmill.sweep.simulation.caps import Caps
from shardmill.sweep.simulation.validation import LEFT_OUT, Validation, validate

_SHARDS: Final = 16
_RUNS_A_BLOCK: Final = 6
_RUN_S: Final = 45.0
"""What a run may take: none is begun later than so long before the end."""
_TIMEOUT_S: Final = 150.0
_QUIET_S: Final = 2.0

STORES: Final = {
    "files": None,
    "near": Faults(),
    "far": Faults(latency_s=0.3),
    "slow": Faults(latency_s=0.1, total_bytes_per_s=3e6),
    "middling": Faults(latency_s=0.03, total_bytes_per_s=6e6),
}
"""Where the images lie: files here, or a bucket behind these caps."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One run to make."""

    shape: str
    partitions: int
    images: int
    store: str
    repetition: int

    @property
    def name(self) -> str:
        return f"{self.shape}-p{self.partitions}-n{self.images}-{self.store}-r{self.repetition}"


def setting_of(run: RunSeen) -> Setting:
    """What `run` was made with, by its name."""
    shape, partitions, images, store, repetition = run.name.split("-")
    return Setting(shape, int(partitions[1:]), int(images[1:]), store, int(repetition[1:]))


def shapes() -> dict[str, ClusterSpec]:
    """The clusters."""
    master = NodeSpec("local", 0, 256)
    return {
        f"{workers}x{cores}": ClusterSpec(
            f"{workers}x{cores}", "local", NodeSpec("local", cores, 1500), workers, master
        )
        for workers, cores in ((1, 1), (1, 2), (2, 1))
    }


def settings() -> list[Setting]:
    """Every run, in no order."""
    files = [(partitions, images) for images in (500, 1500) for partitions in (1, 2, 4, 16)] + [
        (2, 4000),
        (16, 4000),
        (4, 8000),
    ]
    found = [Setting(shape, *cell, "files", 0) for shape in shapes() for cell in files]
    for shape, store in itertools.product(shapes(), STORES):
        if store != "files":
            found += [Setting(shape, partitions, 500, store, 0) for partitions in (2, 16)]
    for shape, store in itertools.product(shapes(), ("near", "middling")):
        found.append(Setting(shape, 4, 1500, store, 0))
    return found


def blocks(seed: int = 7) -> list[list[Setting]]:
    """All runs in a random order, in blocks that share a cluster."""
    draw = random.Random(seed)
    found = []
    for shape in shapes():
        own = [setting for setting in settings() if setting.shape == shape]
        draw.shuffle(own)
        found += [own[first : first + _RUNS_A_BLOCK] for first in range(0, len(own), _RUNS_A_BLOCK)]
    draw.shuffle(found)
    return found


@dataclass(frozen=True, slots=True)
class Inputs:
    """The images, in folders and in a bucket."""

    folder: Path
    server: GcsServer
    proxy: FaultProxy

    def words(self, setting: Setting, dest: Path) -> tuple[str, ...]:
        """The command of a run; sets the proxy to what it is to meet."""
        words = ["prepare", str(self.folder / f"n{setting.images}"), str(dest)]
        words += ["--engine", "spark", "--partitions", str(setting.partitions), "--num-shards", str(_SHARDS)]
        faults = STORES[setting.store]
        if faults is not None:
            self.proxy.set(faults)
            options = ",".join(
                f"gs.{key}={value}" for key, value in self.server.at(self.proxy.endpoint).options.items()
            )
            words[1] = f"gs://bench/n{setting.images}"
            words += ["--storage-options", options]
        return tuple(words)


class Company:
    """What other processes take of the cores while the block runs, those of low priority by themselves."""

    def __enter__(self) -> Self:
        self.before = self._look()
        return self

    def __exit__(self, *error: object) -> None:
        total, busy, own, nice = (after - before for after, before in zip(self._look(), self.before, strict=True))
        self.taken = max(busy - own, 0.0) / max(total, 1e-9)
        self.nice = nice / max(total, 1e-9)

    def disturbs(self, most: float) -> bool:
        """They took more than `most` of the cores."""
        return self.taken + self.nice > most

    @staticmethod
    def _look() -> tuple[float, float, float, float]:
        """Seconds of all cores: in all, busy, by this process and all that it has started, by those of low priority."""
        now = psutil.cpu_times()
        busy = now.user + now.system + now.irq + now.softirq + now.steal
        total = busy + now.idle + now.iowait + now.nice
        own = 0.0
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            try:
                used = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            own += used.user + used.system + used.children_user + used.children_system
        return total, busy, own, now.nice


def wait_for_quiet(until: float, most_taken: float) -> None:
    """Return when others take no more than `most_taken` of the cores, or when the time is over."""
    while time.monotonic() < until:
        with Company() as company:
            time.sleep(_QUIET_S)
        if not company.disturbs(most_taken):
            return


@contextmanager
def inputs(photos: Path, scratch: Path) -> Iterator[Inputs]:
    """Everything that the runs read, for as long as the block runs."""
    originals = copied(photographs(photos), scratch / "originals")
    for size in sorted({setting.images for setting in settings()}):
        repeat(originals, scratch / f"n{size}", size)
    with ExitStack() as stack:
        server = stack.enter_context(gcs_server())
        proxy = stack.enter_context(fault_proxy(server.endpoint))
        server.make_bucket("bench")
        for size in sorted({setting.images for setting in settings() if setting.store != "files"}):
            upload(server, scratch / f"n{size}", "bench", f"n{size}")
        yield Inputs(scratch, server, proxy)


def measure(photos: Path, out: Path, seconds: float, most_taken: float) -> None:
    """Make runs until the time is over, and keep what was seen of them in `out`."""
    until = time.monotonic() + seconds
    evidence = Evidence(out)
    done = {run.name for run in evidence.runs()}
    left = [rest for block in blocks() if (rest := [one for one in block if one.name not in done])]
    with tempfile.TemporaryDirectory(prefix="simulation-") as scratch, inputs(photos, Path(scratch)) as ready:
        os.environ[STATE_VARIABLE] = str(Path(scratch) / "state")
        for block in left:
            if time.monotonic() < until - 2 * _RUN_S:  # a cluster for one run alone is not worth its making
                run_block(block, ready, evidence, Path(scratch) / "out", until, most_taken)
    runs = len(evidence.runs())
    print(f"{runs} of {len(settings())} runs are made")


def run_block(
    block: list[Setting], ready: Inputs, evidence: Evidence, dest: Path, until: float, most_taken: float
) -> None:
    """The runs of a block, on a cluster of their own, as far as the time goes."""
    spec, provider, asked_at = shapes()[block[0].shape], LocalProvider(), time.time()
    name = f"sim-{int(asked_at)}"
    with running(provider, spec, name) as cluster:
        seen = ClusterSeen(name, spec, asked_at, cluster.ready_at, facts=cluster.facts)
        evidence.save_cluster(seen)
        for position, setting in enumerate(block):
            wait_for_quiet(until - _RUN_S, most_taken)
            if time.monotonic() > until - _RUN_S:
                break
            run_one(setting, position, ready, evidence, provider, cluster, dest, most_taken)
    evidence.save_cluster(ClusterSeen(name, spec, asked_at, seen.ready_at, time.time(), facts=seen.facts))


def run_one(
    setting: Setting,
    position: int,
    ready: Inputs,
    evidence: Evidence,
    provider: LocalProvider,
    cluster: Cluster,
    dest: Path,
    most_taken: float,
) -> None:
    """One run; raises what it ended with if that was no success."""
    shutil.rmtree(dest, ignore_errors=True)
    os.sync()
    words = ready.words(setting, dest)
    job = Job(setting.name, words, timeout_s=_TIMEOUT_S)
    with Company() as company:
        outcome = provider.submit(cluster, job, lambda text: None)
    if outcome.state != "done" or outcome.event_log is None:
        raise SystemExit(f"{setting.name} {outcome.state}: {outcome.error}")
    usage = provider.usage(cluster, outcome.started_at, outcome.finished_at)
    run = RunSeen(
        name=setting.name,
        cell=Cell(setting.shape, setting.partitions),
        repetition=setting.repetition,
        position=position,
        first=position == 0,
        cluster=cluster.name,
        words=words[:1],
        outcome=outcome,
        usage=tuple(usage),
        log=read_event_log(outcome.event_log),
    )
    disturbed = company.disturbs(most_taken)
    if not disturbed:
        evidence.save_run(run)
    verdict = "  disturbed: to be made again" if disturbed else ""
    others = f"others took {company.taken:.0%} and {company.nice:.0%} at low priority"
    print(f"{setting.name:28s} {outcome.elapsed_s:6.1f} s, {others}{verdict}", flush=True)


def caps_of_run(run: RunSeen) -> Caps:
    """What held the run up, by the setting it was made with."""
    faults = STORES[setting_of(run).store]
    if faults is None:
        return Caps()
    return Caps(
        from_store=True,
        latency_s=faults.latency_s,
        stream_bytes_per_s=faults.bytes_per_s or math.inf,
        store_bytes_per_s=faults.total_bytes_per_s or math.inf,
    )


def predict(out: Path, image_bytes: float, cores: int) -> dict[str, Any]:
    """Every run from those unlike it; prints the table and returns all of it."""
    evidence = Evidence(out)
    runs, clusters = evidence.runs(), evidence.clusters()
    caps = {run.name: caps_of_run(run) for run in runs}
    found = validate(runs, clusters, caps=caps, image_bytes=image_bytes, machine_cores=cores)
    known = calibrate(runs, clusters, caps=caps, image_bytes=image_bytes, machine_cores=cores)
    print(f"{len(runs)} runs; calibrated on all of them (5 to 95 %):")
    for name, value in asdict(known.parameters).items():
        print(f"  {name:20s} {value:9.4g}   {getattr(known.low, name):.3g} to {getattr(known.high, name):.3g}")
    for note in known.notes:
        print(f"  {note}")
    print(
        f"\n{'left out':12s} {'runs':>4s} {'median error':>13s} {'worst':>6s} {'in 5-95 %':>10s} {'images/(cores x rate)':>22s}"
    )
    for what in LEFT_OUT:
        part = found.by(what)
        if part.checked:
            _print_line(what, part)
    stores = tuple(one for one in found.checked if one.left_out == "caps" and "files" not in one.run)
    if stores:
        _print_line("a store", Validation(stores))
    _print_line("all", found)
    print(
        f"\n{'run':28s} {'left out':10s} {'measured':>9s} {'predicted':>9s} {'5-95 %':>13s} {'error':>6s}  limited by"
    )
    for one in sorted(found.checked, key=lambda one: (one.left_out, one.run)):
        interval = f"{one.low_s:.1f}-{one.high_s:.1f}"
        print(
            f"{one.run:28s} {one.left_out:10s} {one.measured_s:9.1f} {one.predicted_s:9.1f} {interval:>13s} {one.error:6.0%}  {one.limited_by}"
        )
    return {"parameters": asdict(known.parameters), "checked": [asdict(one) for one in found.checked]}


def _print_line(name: str, part: Validation) -> None:
    worst = max(abs(one.error) for one in part.checked)
    print(
        f"{name:12s} {len(part.checked):4d} {part.median_error:13.1%} {worst:6.0%} {part.covered:10.0%} {part.naive_median_error:22.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", choices=("measure", "predict"))
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=280.0)
    parser.add_argument(
        "--cores", type=int, default=available_cores(), help="of the machine on which the runs were made"
    )
    parser.add_argument("--most-taken", type=float, default=0.1, help="share of the cores that others may take")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "measure":
        measure(arguments.photos, arguments.out, arguments.seconds, arguments.most_taken)
        return
    sizes = [path.stat().st_size for path in photographs(arguments.photos)]
    told = predict(arguments.out, sum(sizes) / len(sizes), arguments.cores)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
