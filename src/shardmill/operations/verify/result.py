"""What verification finds, and how it is told.

kind                  what is wrong
incomplete            the set was never finished, or `_SUCCESS` is gone
manifest              `_manifest.json` cannot be read, contradicts itself, or is not the one the run ended with
labels                `labels.txt` is missing or differs from the manifest's classes
missing_shard         a shard that the manifest, or the `-of-` in its neighbours' names, promises is absent
stray_file            a file is named like a shard and belongs to nothing
size, sha256          a shard differs from the manifest, and no finer finding explains it
length_crc, data_crc, truncated, too_large, bad_compression, not_an_example, no_image
                      damage at a record; see `formats.tfrecord`
missing_records       fewer records than the manifest says, and no damage where they were
extra_records         more records than the manifest says
undecodable           the checksum agrees and the image still does not decode
wrong_size            the image's width or height is not what its record says
label_out_of_range    no class has this label
wrong_record          a record is not the one that the samples table puts there
duplicate_key         two records of the set have one key
missing_index, index  an index is absent, or a line of it is wrong
missing_samples, samples
                      a samples table is absent or damaged, or contradicts the manifest or the shard
totals                counts in the manifest do not add up to what is there
unreadable            a file cannot be opened or read
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from shardmill.shown import Shown
from shardmill.units import format_bytes, format_count, format_seconds, printable

MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    file: str
    """Relative to the data set."""
    kind: str
    """See the table at the top of this module."""
    detail: str
    record: int | None = None
    """Number of the record in the file, from 0."""
    offset: int | None = None
    """Where the record begins, in bytes; in a compressed file, of the uncompressed stream."""
    key: str | None = None
    """Of the record, where it can still be told."""

    def __str__(self) -> str:
        place = self.file if self.record is None else f"{self.file} record {self.record}"
        if self.offset is not None:
            place += f" at byte {self.offset}"
        if self.key:
            place += f" ({self.key})"
        return f"{place}: {self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Repair:
    """What `repair` did to one file."""

    file: str
    action: str
    """`salvaged`: rewritten with its good records. `index`: index written anew. `copied`: good records are in `written_to`."""
    kept: int
    lost: int
    written_to: str


@dataclass(frozen=True, slots=True)
class VerifyResult(Shown):
    """What was looked at and what was found; after a repair, what is still wrong."""

    dest: str
    deep: bool
    prepared: bool
    """It is a set that `prepare` made, not files of others."""
    shards: int
    records: int
    """Good records read; with `quick`, those that the manifest names."""
    bytes: int
    """Of the shard files that are there."""
    seconds: float
    findings: tuple[Finding, ...]
    findings_total: int
    """All of them; `findings` holds at most 100 of each shard."""
    repairs: tuple[Repair, ...] = ()
    lost: int = 0
    """Records that this or an earlier repair had to give up, and that nobody has made again."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return self.findings_total == 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, with `ok`."""
        return {**asdict(self), "ok": self.ok}


def lines(result: VerifyResult) -> list[str]:
    """The result for a terminal; text that came out of files is escaped."""
    text = [f"repaired {_repair_line(repair)}" for repair in result.repairs]
    text += [printable(str(finding)) for finding in result.findings[:MOST_SHOWN]]
    hidden = result.findings_total - min(len(result.findings), MOST_SHOWN)
    if hidden:
        text.append(f"… and {format_count(hidden, 'more finding')}; --json holds them")
    counted = f"{format_count(result.shards, 'shard')}, {format_count(result.records, 'record')}, {format_bytes(result.bytes)}"
    verdict = "whole" if result.ok else f"DAMAGED, {format_count(result.findings_total, 'finding')}"
    how = "every record read" if result.deep else "quick: no record read"
    text.append(f"{verdict}: {counted} in {format_seconds(result.seconds)} ({how})")
    if not result.ok:
        text.append(remedy(result))
    elif result.lost:
        text.append(
            f"{format_count(result.lost, 'record')} lost in repairs: the same prepare command with --retry-failed makes them again."
        )
    return text


def remedy(result: VerifyResult) -> str:
    """What to do about it, in one sentence."""
    kinds = {finding.kind for finding in result.findings}
    if not result.prepared:
        if result.repairs:
            return "Put the repaired copies in the place of the damaged files, once you have looked at them."
        if kinds <= {"missing_shard"}:
            return "Fetch the missing files again from where they came from."
        return (
            "Fetch the damaged files again, or run verify --repair to put their good records into copies beside them."
        )
    if "incomplete" in kinds or "manifest" in kinds:
        return "Run the same prepare command again to complete the set."
    if kinds <= {"stray_file"}:
        return "Remove the stray files, or move them out of the folder, so that no reader takes them for data."
    if kinds <= {"index", "missing_index"}:
        return "Run verify --repair to write the indexes anew; no record is lost."
    if "missing_samples" in kinds:
        return "Run the same prepare command again: it makes the shards again whose samples tables are missing."
    return "Run verify --repair to keep the good records, then prepare --retry-failed to make the lost ones again."


def _repair_line(repair: Repair) -> str:
    kept = format_count(repair.kept, "record")
    if repair.action == "index":
        return f"{printable(repair.file)}: index written anew for {kept}"
    where = "" if repair.written_to == repair.file else f" in {printable(repair.written_to)}"
    return f"{printable(repair.file)}: {kept} kept{where}, {repair.lost} lost"
