"""WebDataset shards: plain tars of `name.jpg`, `name.cls` and `name.json`, which `webdataset`, DALI and any tar open."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, Final

from shardmill.errors import UsageError
from shardmill.formats.base import Damage, FormatOptions, Placement, Sample
from shardmill.formats.checksum import CHECKSUM, sample_checksum
from shardmill.formats.example import Feature
from shardmill.formats.features import to_sample
from shardmill.formats.stream import ByteStream
from shardmill.formats.tar import END, Broken, Member, TarReader, first_content, header, padded
from shardmill.image.header import sniff

_INDEX_HEAD: Final = "v1.2"
_EXTENSIONS: Final = {"jpeg": "jpg", "tiff": "tif", "jpeg2000": "jp2"}
_NUMBERS: Final = frozenset({"cls", "label", "class", "index", "inx", "id", "count"})
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_\-/~+,@=()]")
_MAX_SIDECAR: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebDatasetFormat:
    """Tars without compression; the index is that of DALI's `wds2idx`, version 1.2."""

    suffix: str = ".tar"
    index_suffix: str = ".idx"
    random_access: bool = True

    @classmethod
    def from_options(cls, options: FormatOptions) -> WebDatasetFormat:
        """Raises `UsageError` for options that tars do not have."""
        if options.compression != "none":
            raise UsageError(
                f"--compression {options.compression} is not for webdataset: images hardly shrink, and DALI and random access need plain tars; leave it out."
            )
        if options.feature_keys != "imagenet":
            raise UsageError("--feature-keys is for --format tfrecord; leave it out.")
        return cls()

    def writer(self, file: BinaryIO) -> WebDatasetWriter:
        """A writer to `file`, which must take every write whole (as buffered files do)."""
        return WebDatasetWriter(file)

    def read(self, file: BinaryIO) -> Iterator[tuple[Placement, Sample] | Damage]:
        """Every sample of a tar from whatever writer, gzipped or not; `formats.features` finds the fields.

        Members belong together that stand together and share their path up to the first dot of the file name. Kinds of
        damage: `header`, `truncated`, `too_large`, `bad_compression` and `behind_end` of the tar, `no_image` of a sample,
        `bad_member` where a `.cls` or `.json` cannot be understood, `data_crc` where ours is not as written. Next to a
        damaged header nobody can tell which members are lost, so a sample there counts only if its checksum agrees.
        """
        number = 0
        for group in _groups(file, with_content=True):
            for record in _records(group, number):
                yield record if isinstance(record, Damage) else (group.placement, record)
                number += 1

    def locate(self, file: BinaryIO) -> list[Placement] | None:
        stream = ByteStream(file)
        file.seek(0)
        if stream.compressed:
            return None
        placements = []
        for group in _groups(file, with_content=False):
            if group.members:
                placements.append(group.placement)
            if group.broken is not None:
                placements.append(Placement(group.broken.offset, 0))
        return placements

    def read_at(self, file: BinaryIO, placement: Placement) -> Sample | Damage:
        file.seek(placement.offset)
        for record in self.read(BytesIO(file.read(placement.length) + END)):
            return record[1] if isinstance(record, tuple) else record
        return Damage(0, placement.offset, "truncated", "the file ends before the record")

    def image_in(self, record: bytes) -> bytes | memoryview | None:
        place = first_content(record)
        return None if place is None else memoryview(record)[slice(*place)]

    def index(self, file: BinaryIO) -> bytes:
        """As `wds2idx` writes it: `v1.2 COUNT`, then a line a sample of `extension offset size name` for each member."""
        return _index([group.members for group in _groups(file, with_content=False) if group.members])

    def parse_index(self, content: bytes) -> list[Placement] | int:
        lines = content.decode("ascii", "replace").split("\n")
        head = lines[0].split(" ")
        if len(head) != 2 or head[0] != _INDEX_HEAD or not head[1].isdecimal() or lines[-1]:
            return 0
        placements = []
        for number, line in enumerate(lines[1:-1], 1):
            words = line.split(" ")
            numbers = words[1::4] + words[2::4]
            if len(words) % 4 or not all(map(str.isdecimal, numbers)):
                return number
            start = int(words[1]) - len(header(words[3], 0))
            placements.append(Placement(start, int(words[-3]) + padded(int(words[-2])) - start))
        return placements if len(placements) == int(head[1]) else 0

    def salvage(self, source: BinaryIO, target: BinaryIO, bad: Collection[int]) -> tuple[int, int]:
        kept = lost = 0
        for group in _groups(source, with_content=True):
            for record in _records(group, 0):
                if isinstance(record, Damage) or group.placement.offset in bad:
                    lost += 1
                    continue
                kept += 1
                for member, content in zip(group.members, group.contents, strict=True):
                    _write_member(target, member.name, content)
        target.write(END)
        return kept, lost


class WebDatasetWriter:
    """Writes one shard, front to back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = 0
        self._samples: list[list[Member]] = []
        self.placements: list[Placement] = []

    def add(self, sample: Sample) -> None:
        stem = member_stem(sample.key)
        kind = sniff(sample.image) or "jpeg"
        contents = {_EXTENSIONS.get(kind, kind): sample.image, "cls": str(sample.label).encode()}
        if sample.exif is not None:
            contents["exif"] = sample.exif
        contents["json"] = _description(sample)
        start = self._offset
        members = []
        for extension, content in contents.items():
            name = f"{stem}.{extension}"
            head = _write_member(self._file, name, content)
            members.append(Member(name, self._offset, self._offset + head, len(content)))
            self._offset = members[-1].end
        self._samples.append(members)
        self.placements.append(Placement(start, self._offset - start))

    def finish(self) -> bytes:
        self._file.write(END)
        return _index(self._samples)


def member_stem(key: str) -> str:
    """The path of a sample's members, without extension: `key` with every byte escaped as `%2E` that readers trip over.

    Those are dots, where `webdataset` would cut, white space, where DALI's index would, names that begin with `__`, which
    `webdataset` leaves out, and all that is not ASCII. Different keys have different stems.
    """
    stem = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], key.encode()).decode()
    if stem.startswith("__"):
        stem = "%5F" + stem[1:]
    if stem.startswith("/"):
        stem = "%2F" + stem[1:]
    if stem.endswith("/"):
        stem = stem[:-1] + "%2F"
    return stem.replace("//", "/%2F") or "%"


def _write_member(file: BinaryIO, name: str, content: bytes) -> int:
    """Write header, content and padding; returns the bytes of the header."""
    head = header(name, len(content))
    file.write(head)
    file.write(content)
    file.write(bytes(padded(len(content)) - len(content)))
    return len(head)


def _description(sample: Sample) -> bytes:
    fields: dict[str, Any] = {
        "key": sample.key,
        "filename": sample.filename,
        "label": sample.label,
        "text": sample.text,
        "width": sample.width,
        "height": sample.height,
        "format": sample.image_format,
        CHECKSUM: sample_checksum(sample),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _index(samples: list[list[Member]]) -> bytes:
    lines = [f"{_INDEX_HEAD} {len(samples)}"]
    for members in samples:
        lines.append(
            " ".join(f"{_split(member.name)[1]} {member.offset} {member.size} {member.name}" for member in members)
        )
    return "".join(f"{line}\n" for line in lines).encode()


def _split(name: str) -> tuple[str, str]:
    """Path up to the first dot of the file name, and what follows the dot."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension


@dataclass(slots=True)
class _Group:
    """Neighbouring members of one stem, and what broke off behind them."""

    stem: str = ""
    members: list[Member] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    broken: Broken | None = None
    behind_damage: bool = False
    """Its first members may be among what is lost."""

    @property
    def placement(self) -> Placement:
        start = self.members[0].start
        return Placement(start, self.members[-1].end - start)


def _groups(file: BinaryIO, *, with_content: bool) -> Iterator[_Group]:
    """The samples of a tar in order. What damage has left of a sample is dropped, if it stands behind the damage."""
    tar = TarReader(ByteStream(file))
    group = _Group()
    while (found := tar.next()) is not None:
        if isinstance(found, Member):
            content: bytes | None = b""
            if with_content:
                content = tar.data(found)
            else:
                tar.skip(found)
            if content is not None:
                stem, extension = _split(found.name)
                if not extension or not stem or stem.endswith("/"):
                    continue  # hidden, or no member of a sample by its name
                if stem != group.stem:
                    if group.members:
                        yield group
                    group = _Group(stem, behind_damage=group.broken is not None)
                if group.broken is None:
                    group.members.append(found)
                    group.contents.append(content)
                continue
            found = Broken(found.start, "truncated", "the file ends inside this member")
        if found.kind == "behind_end" and group.members:
            yield group
            group = _Group()
        group.broken = found
        yield group
        group = _Group(group.stem, broken=found)
        if found.kind != "too_large" and (found.kind != "header" or not tar.resync()):
            return
    if group.members:
        yield group


def _records(group: _Group, number: int) -> Iterator[Sample | Damage]:
    """The sample or the damage that a group is, and the damage behind it."""
    broken = group.broken
    if group.members:
        try:
            sample, checked = _sample(group)
        except _BadMemberError as error:
            if broken is None and not (group.behind_damage and error.kind == "no_image"):  # told where it began
                yield Damage(number, group.placement.offset, error.kind, error.detail)
                return
            if broken is None:
                return
            checked = False
        else:
            if broken is None or checked:
                yield sample
                number += 1
        if broken is not None and not checked:
            yield Damage(number, group.placement.offset, broken.kind, broken.detail)
            return
    if broken is not None:
        yield Damage(number, broken.offset, broken.kind, broken.detail)


class _BadMemberError(Exception):
    """Members that are no sample, or not the one that was written."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def _sample(group: _Group) -> tuple[Sample, bool]:
    """The sample of whole members, and whether a checksum vouches for it."""
    features: dict[str, Feature] = {}
    described: Mapping[str, Any] = {}
    for member, content in zip(group.members, group.contents, strict=True):
        extension = _split(member.name)[1].lower()
        if extension == "json":
            described = _parse_json(content, member)
        else:
            features[extension] = [content]
            if extension in _NUMBERS and len(content) < 20 and re.fullmatch(rb"\s*-?\d+\s*", content):
                features[extension] = [int(content)]
    for name, value in described.items():
        if isinstance(value, str):
            features.setdefault(name, [value.encode(errors="replace")])
        elif isinstance(value, int) and not isinstance(value, bool):
            features.setdefault(name, [value])
    features.setdefault("__key__", [group.stem.encode(errors="replace")])
    features["image/exif"] = features.pop("exif", [])
    sample = to_sample(features)
    if sample is None:
        raise _BadMemberError("no_image", f"none of the members {group.stem}.* holds an image")
    if CHECKSUM not in described:
        return sample, False
    if described[CHECKSUM] != sample_checksum(sample) or features.get("cls") != [sample.label]:
        raise _BadMemberError("data_crc", f"the checksum in {group.stem}.json is not that of its sample")
    return sample, True


def _parse_json(content: bytes, member: Member) -> Mapping[str, Any]:
    try:
        fields = json.loads(content) if len(content) <= _MAX_SIDECAR else None
    except (ValueError, RecursionError) as error:
        raise _BadMemberError("bad_member", f"{member.name} is not JSON ({error})") from error
    return fields if isinstance(fields, dict) else {}
