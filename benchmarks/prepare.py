"""Ratios between ways to turn photographs into shards, measured side by side. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from contenders import CONTENDERS
from fidelity import fidelity
from inputs import copied, photographs, repeat, tiled
from jobs import Job
from memory import plan_memory, run_memory
from perimage import per_image
from tables import ratio_table, table, times_table
from timing import Timing, run_job

from shardmill import __version__
from shardmill.units import format_bytes

_LARGE: Final = ("tf.data", "tf.data-best", "native")
_LARGE_DISTINCT: Final = 12
_PACKAGES: Final = ("numpy", "pillow", "simplejpeg", "cykooz-resizer", "pyarrow", "tensorflow", "pyspark")
_PER_IMAGE_FILES: Final = 1000


def main(words: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(words)
    cores = sorted(os.sched_getaffinity(0))[: options.cores]
    if options.shards < 3 * len(cores):
        raise SystemExit(
            f"prepare.py: {options.shards} shards are too few for {len(cores)} cores; give --shards {8 * len(cores)}"
        )
    os.sched_setaffinity(0, cores)  # whoever is started inherits it
    results: dict[str, Any] = {"machine": _machine(len(cores))}
    print("  ".join(f"{name} {value}" for name, value in results["machine"].items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="shardmill-bench-", dir=options.work) as folder:
        work = Path(folder).resolve()
        photos = copied(photographs(options.photos), work / "originals")
        parts = [part for part in ("large", "per_image", "fidelity", "memory") if getattr(options, part)] or ["main"]
        if options.all:
            parts = ["main", "large", "per_image", "fidelity", "memory"]
        if "main" in parts:
            results["main"] = _main_part(options, work, photos, len(cores))
        if "large" in parts or "memory" in parts:
            large = repeat(
                tiled(photos, work / "large-originals", _LARGE_DISTINCT), work / "large", options.large_files
            )
            if "large" in parts:
                results["large"] = _large_part(options, work, large, len(cores))
            if "memory" in parts:
                results["memory"] = _memory_part(options, work, photos, large, len(cores))
        if "per_image" in parts:
            results["per_image"] = _per_image_part(options, work, photos)
        if "fidelity" in parts:
            results["fidelity"] = _fidelity_part(options.photos)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prepare.py", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG photographs, repeated as needed")
    parser.add_argument("--files", type=int, default=20_000, help="files to prepare [20000]")
    parser.add_argument("--slow-files", type=int, default=4_000, help="files for the slow contenders, at most [4000]")
    parser.add_argument("--large-files", type=int, default=400, help="files of 12 megapixels [400]")
    parser.add_argument("--rounds", type=int, default=3, help="times that each contender runs, taking turns [3]")
    parser.add_argument("--shards", type=int, default=16, help="shards to write [16]")
    parser.add_argument("--cores", type=int, help="cores to use, all contenders the same; by default all")
    parser.add_argument("--only", choices=CONTENDERS, nargs="+", default=list(CONTENDERS), help="contenders [all]")
    parser.add_argument("--large", action="store_true", help="12-megapixel JPEGs instead")
    parser.add_argument("--per-image", action="store_true", help="one image on one core against the floor instead")
    parser.add_argument("--fidelity", action="store_true", help="PSNR against a full decode and Lanczos instead")
    parser.add_argument("--memory", action="store_true", help="peak memory of workers and of planning instead")
    parser.add_argument("--all", action="store_true", help="the contenders and all of these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement to FILE")
    parser.add_argument("--work", type=Path, help="folder for temporary files; a disk, not memory")
    return parser


def _main_part(options: argparse.Namespace, work: Path, photos: list[Path], cores: int) -> dict[str, Any]:
    if "native-spark" in options.only:
        _note("preparing Spark's start, as `shardmill doctor --deep` does")
        subprocess.run(
            [sys.executable, "-c", "from shardmill.engines.spark_record import prepare_start; prepare_start()"],
            check=False,  # where it cannot be, it says so, and Spark starts as it does without
        )
    sources = {options.files: repeat(photos, work / "files", options.files)}
    slow = min(options.slow_files, options.files)
    if slow not in sources and any(CONTENDERS[name].slow for name in options.only):
        sources[slow] = repeat(photos, work / "slow-files", slow)
    counts = {name: slow if CONTENDERS[name].slow else options.files for name in options.only}
    print(f"\nphotographs to 192x192, quality 95, 4:4:4, {options.shards} shards, {cores} cores\n")
    return _timed(options, work, sources, counts, cores)


def _large_part(options: argparse.Namespace, work: Path, large: Path, cores: int) -> dict[str, Any]:
    print(f"\n12-megapixel JPEGs to 192x192, quality 95, 4:4:4, {options.shards} shards, {cores} cores\n")
    counts = dict.fromkeys((name for name in options.only if name in _LARGE), options.large_files)
    return _timed(options, work, {options.large_files: large}, counts, cores)


def _timed(
    options: argparse.Namespace, work: Path, sources: dict[int, Path], counts: dict[str, int], cores: int
) -> dict[str, Any]:
    timings: list[Timing] = []
    for number in range(options.rounds):
        for name, images in counts.items():
            job = Job(sources[images], work / "dest", options.shards, cores)
            timings.append(run_job(name, number, job, images))
            shutil.rmtree(job.dest)
            _note(f"round {number}: {name} {timings[-1].steady_rate:,.0f} images/s, {timings[-1].job_s:.1f} s")
    print(times_table(timings))
    print("\n" + ratio_table(timings), flush=True)
    return {"timings": [{**asdict(timing), "job_rate": timing.job_rate} for timing in timings]}


def _per_image_part(options: argparse.Namespace, work: Path, photos: list[Path]) -> dict[str, Any]:
    count = min(options.files, _PER_IMAGE_FILES)
    found = per_image(repeat(photos, work / "per-image", count), work / "per-image-dest", options.rounds)
    low, high = found.ratio_spread
    print(
        f"\none image on one core, {found.images:,} files\n\n"
        f"floor (1/8 decode + encode)          {found.floor_ms:.2f} ms\n"
        f"whole way (read to published shard)  {found.whole_ms:.2f} ms\n"
        f"ratio                                {found.ratio:.2f} ({low:.2f} to {high:.2f})\n"
        f"ratio of processor time              {found.cpu_ratio:.2f}",
        flush=True,
    )
    return asdict(found)


def _fidelity_part(photos: Path) -> list[dict[str, Any]]:
    found = fidelity(photos)
    print(f"\nPSNR before encoding, {found[0].images:,} photographs, dB\n")
    rows = [(one.transform, f"{one.mean_db:.1f}", f"{one.fifth_percentile_db:.1f}") for one in found]
    print(table(("", "mean", "5th percentile"), rows), flush=True)
    return [asdict(one) for one in found]


def _memory_part(
    options: argparse.Namespace, work: Path, photos: list[Path], large: Path, cores: int
) -> dict[str, Any]:
    dest = work / "memory-dest"
    run = run_memory(Job(large, dest, options.shards, cores), options.large_files)
    shutil.rmtree(dest)
    print(
        f"\npeak memory, {run.images:,} 12-megapixel JPEGs: largest of {run.workers} workers "
        f"{format_bytes(run.largest_worker)}, their parent {format_bytes(run.parent)}\n"
    )
    plans = plan_memory(photos, work / "lists")
    rows = [(f"{plan.rows:,}", f"{plan.seconds:.1f}", format_bytes(plan.peak_bytes)) for plan in plans]
    first, last = plans[0], plans[-1]
    rows.append(("ratio", f"{last.seconds / first.seconds:.1f}", f"{last.peak_bytes / first.peak_bytes:.2f}"))
    print(table(("rows planned", "seconds", "peak memory"), rows), flush=True)
    return {"run": asdict(run), "plans": [asdict(plan) for plan in plans]}


def _machine(cores: int) -> dict[str, str | int]:
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu_model(),
        "cores": cores,
        "python": platform.python_version(),
        "shardmill": __version__,
        **{package: version(package) for package in _PACKAGES},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
