"""The rows of a speed test with their analysis, and the colours that its arms have on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shardmill.model.analysis import Analysis, ArmAnalysis, analyse
from shardmill.model.observations import Arm, by_arm
from shardmill.report.plot.marks import HUE_OF, HUES
from shardmill.runs import Run
from shardmill.speedtest.record import Measurement

_SPARE: Final = (4, 5, 1, 2, 0, 3)


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A data set that was read, as the run tells it."""

    root: str
    format: str
    shards: int | None
    """None for files."""
    bytes: int | None
    """Of all shards; None where the run does not say."""
    images: int | None

    @property
    def shard_bytes(self) -> float | None:
        """Mean."""
        return self.bytes / self.shards if self.bytes and self.shards else None


def read_sets(runs: Sequence[Run]) -> dict[str, ReadSet]:
    """What speed tests read, by the name in their rows."""
    found: dict[str, ReadSet] = {}
    for run in runs:
        told: Mapping[str, Mapping[str, Any]] = run.request.get("read") or {}
        for name, one in told.items():
            numbers = (one.get("shards"), one.get("bytes"), one.get("images"))
            found.setdefault(name, ReadSet(str(one.get("root", "")), str(one.get("format", "")), *numbers))
    return found


@dataclass(frozen=True, slots=True)
class Study:
    """What a section is made from."""

    rows: tuple[Measurement, ...]
    analysis: Analysis
    by_arm: dict[Arm, list[Measurement]]
    """Rows that count."""
    cores: int
    sets: Mapping[str, ReadSet] = field(default_factory=dict)
    """What is known of the data sets, by name."""

    @property
    def arms(self) -> tuple[ArmAnalysis, ...]:
        return self.analysis.arms

    def hue(self, arm: Arm) -> int:
        """The format's own colour, or a spare one where arms that are shown together share the format."""
        alike = list(dict.fromkeys((one.arm.dataset, one.arm.format, one.arm.reader) for one in self.arms))
        taken: list[int] = []
        for place, (_, form, _) in enumerate(alike):
            wanted = HUE_OF.get(form, _SPARE[place % HUES])
            hue = wanted if wanted not in taken else next((one for one in _SPARE if one not in taken), place % HUES)
            taken.append(hue)
            if alike[place] == (arm.dataset, arm.format, arm.reader):
                return hue
        return 0

    def alike(self) -> list[tuple[str, tuple[ArmAnalysis, ...]]]:
        """The arms in groups that differ in what is read and by which reader only, each with the words for the rest."""
        groups: dict[tuple[bool, str, str], list[ArmAnalysis]] = {}
        for one in self.arms:
            groups.setdefault((one.arm.decode, one.arm.cache, one.arm.engine), []).append(one)
        named = []
        ordered = sorted(groups.items(), key=lambda entry: (not entry[0][0], entry[0][1] != "warm", entry[0][2]))
        for (decode, cache, engine), arms in ordered:
            words = [f"{cache} cache", "decoded" if decode else "bytes only, not decoded"]
            if engine != "local":
                words.append(f"on {engine}")
            named.append((", ".join(words), tuple(arms)))
        return named

    def short(self, one: ArmAnalysis, among: Sequence[ArmAnalysis]) -> str:
        """The arm's name among arms that are alike but for what is read and by which reader."""
        words = [one.arm.format]
        if len({other.arm.dataset for other in among if other.arm.format == one.arm.format}) > 1:
            words.append(one.arm.dataset)
        if len({other.arm.reader for other in among}) > 1:
            words.append(one.arm.reader)
        return ", ".join(words)


def study(rows: Sequence[Measurement], cores: int, sets: Mapping[str, ReadSet] | None = None) -> Study:
    """Analyse the rows of one or several speed tests of `sets`, measured on a machine with `cores` cores."""
    return Study(tuple(rows), analyse(rows, cores), by_arm(rows), cores, sets or {})
