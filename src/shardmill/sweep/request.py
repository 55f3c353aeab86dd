"""The sweep file: a job, the cluster shapes to run it on, and how often.

    job: prepare photos/ work/{run} --size 256 --num-shards 16
    shapes:
      - {name: 1x2, provider: local, workers: 1, cores: 2, memory: 2GB, usd_per_hour: 0.10}
      - {preset: four-by-2, region: europe-west4}
    partitions: [1, 2, 4, 16]
    repetitions: 3

In `job`, `{run}` stands for a name that no other run has, and `{partitions}` for the number of partitions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shardmill.clusters.base import ClusterSpec
from shardmill.clusters.jobs import has_flag, on_spark
from shardmill.clusters.nearest import did_you_mean
from shardmill.clusters.specfile import parse_shapes, read_yaml
from shardmill.errors import UsageError
from shardmill.sweep.evidence import Cell
from shardmill.units import in_range, parse_duration

_KEYS: Final = ("workload", "job", "shapes", "partitions", "repetitions", "expect", "keep_outputs")
_WRITING_COMMANDS: Final = ("prepare", "convert")
DEFAULT_EXPECT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What a sweep file asks for."""

    workload: str
    """What the job is called in the trace."""
    job: tuple[str, ...]
    """The command line of shardmill, without the program's name; with placeholders."""
    shapes: tuple[ClusterSpec, ...]
    partitions: tuple[int | None, ...]
    """(None,) leaves the number to the job."""
    repetitions: int
    expect_s: float
    """What the user expects a run to take: what costs are reckoned with until one was measured."""
    keep_outputs: bool
    """Leave what the runs write; else it is deleted after each run that ended well."""

    def cells(self) -> list[Cell]:
        """Every shape with every number of partitions."""
        return [Cell(shape.name, partitions) for shape in self.shapes for partitions in self.partitions]

    def words(self, cell: Cell, run: str) -> tuple[str, ...]:
        """The command of one run."""
        filled = [word.replace("{run}", run).replace("{partitions}", str(cell.partitions or "")) for word in self.job]
        filled = [*on_spark(filled)]
        if self.job[0] == "prepare" and cell.partitions is not None and not has_flag(self.job, "--partitions"):
            filled += ["--partitions", str(cell.partitions)]
        return tuple(filled)


def read_request(path: str | Path) -> SweepRequest:
    """The sweep file at `path`.

    Raises:
        UsageError: it cannot be read, or asks for something that makes no sense.
    """
    return parse_request(read_yaml(path), str(path))


def parse_request(values: Mapping[str, Any], where: str) -> SweepRequest:
    """What `values` ask for; `where` names their file in messages. Raises as `read_request` does."""
    for key in values:
        if key not in _KEYS:
            raise UsageError(
                f"{where}: {key!r} is not known{did_you_mean(str(key), _KEYS)}; a sweep has {', '.join(_KEYS)}."
            )
    for key in ("job", "shapes"):
        if not values.get(key):
            raise UsageError(f"{where} lacks {key!r}; a sweep needs a job and the shapes to run it on.")
    job = _job(values["job"], where)
    shapes = values["shapes"]
    if not isinstance(shapes, list):
        raise UsageError(f"{where}: shapes is {_shown(shapes)}; write a list, each entry a mapping or a preset's name.")
    partitions = _partitions(values.get("partitions"), job, where)
    if isinstance(repetitions := values.get("repetitions", 1), bool) or not isinstance(repetitions, int):
        raise UsageError(f"{where}: repetitions is {_shown(repetitions)}; it takes a whole number such as 3.")
    keep = values.get("keep_outputs", False)
    if not isinstance(keep, bool):
        raise UsageError(f"{where}: keep_outputs is {_shown(keep)}; it is true or false.")
    return SweepRequest(
        workload=_workload(values.get("workload"), job, where),
        job=job,
        shapes=parse_shapes(shapes, where),
        partitions=partitions,
        repetitions=in_range(f"{where}: repetitions", repetitions, 1, 1000),
        expect_s=parse_duration(str(values["expect"])) if "expect" in values else DEFAULT_EXPECT_S,
        keep_outputs=keep,
    )


def _job(value: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401  # whatever YAML holds
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise UsageError(f"{where}: job cannot be read ({error}); close its quotes.") from error
    elif isinstance(value, list) and all(isinstance(word, str | int | float) for word in value):
        words = [str(word) for word in value]
    else:
        raise UsageError(f"{where}: job is {_shown(value)}; write a command, such as: prepare photos/ work/{{run}}")
    words = words[1:] if words[:1] == ["shardmill"] else words
    if not words:
        raise UsageError(f"{where}: job is empty; write a command, such as: prepare photos/ work/{{run}}")
    unknown = {name for word in words for name in re.findall(r"\{(\w*)\}", word)} - {"run", "partitions"}
    if unknown:
        raise UsageError(f"{where}: job has {{{min(unknown)}}}; only {{run}} and {{partitions}} are filled in.")
    if words[0] in _WRITING_COMMANDS and not any("{run}" in word for word in words):
        raise UsageError(
            f"{where}: every run of this job would write to the same place; put {{run}} into DEST, such as work/{{run}}"
        )
    return tuple(words)


def _partitions(value: Any, job: Sequence[str], where: str) -> tuple[int | None, ...]:  # noqa: ANN401
    if value is None:
        return (None,)
    entries = value if isinstance(value, list) else [value]
    if not entries or any(isinstance(one, bool) or not isinstance(one, int) or one < 1 for one in entries):
        raise UsageError(
            f"{where}: partitions is {_shown(value)}; it takes whole numbers of at least 1, such as [1, 4, 16]."
        )
    if len(set(entries)) < len(entries):
        raise UsageError(f"{where}: partitions names a number twice; for more runs of it raise repetitions.")
    if job[0] != "prepare" and not any("{partitions}" in word for word in job):
        raise UsageError(
            f"{where}: {job[0]} does not take the number of partitions; put {{partitions}} into its words, or leave partitions out."
        )
    if has_flag(job, "--partitions") and not any("{partitions}" in word for word in job):
        raise UsageError(f"{where}: job sets --partitions itself; take that out, or leave partitions out.")
    return tuple(entries)


def _workload(value: Any, job: Sequence[str], where: str) -> str:  # noqa: ANN401
    if value is None:
        return (
            re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(word for word in job[:2] if "{" not in word)).strip("-") or job[0]
        )
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{where}: workload is {_shown(value)}; it is a name, such as photos-256.")
    return value.strip()


def _shown(value: Any) -> str:  # noqa: ANN401
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
