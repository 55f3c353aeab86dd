"""What every shard format must do: subclass `FormatConformance` and give a `shard_format` fixture."""

from __future__ import annotations

import io
import pickle
import random

from shardmill.formats.base import Damage, Format, Placement, Sample

Read = list[tuple[Placement, Sample] | Damage]


def samples(count: int = 4, image_bytes: int = 40) -> list[Sample]:
    """Small samples that look like JPEGs from outside; each differs in every field."""
    noise = random.Random(7)
    return [
        Sample(
            key=f"rosé/{number}/a b",
            image=b"\xff\xd8\xff" + noise.randbytes(image_bytes + number),
            label=number * 300,
            text=f"rosé {number}",
            width=10 + number,
            height=200 + number,
            filename=f"a b {number}.jpg",
        )
        for number in range(count)
    ]


def write(shard_format: Format, records: list[Sample]) -> tuple[bytes, list[Placement], bytes]:
    """Shard, placements and index."""
    file = io.BytesIO()
    writer = shard_format.writer(file)
    placements = [writer.add(record) for record in records]
    index = writer.finish()
    return file.getvalue(), placements, index


def read(shard_format: Format, shard: bytes) -> Read:
    return list(shard_format.read(io.BytesIO(shard)))


class FormatConformance:
    def same(self, one: Sample, other: Sample) -> bool:
        """Whether the format kept all of a sample that it can keep."""
        return one == other

    def test_reads_what_it_wrote(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples())
        found = read(shard_format, shard)
        assert len(found) == 4
        for record, placement, sample in zip(found, placements, samples(), strict=True):
            assert isinstance(record, tuple)
            assert record[0] == placement
            assert self.same(record[1], sample)

    def test_bytes_depend_on_the_samples_alone(self, shard_format: Format) -> None:
        again: Format = pickle.loads(pickle.dumps(shard_format))
        assert write(again, samples()) == write(shard_format, samples())
        assert write(shard_format, samples()[::-1])[0] != write(shard_format, samples())[0]

    def test_empty_shard(self, shard_format: Format) -> None:
        shard, _, index = write(shard_format, [])
        assert read(shard_format, shard) == []
        assert index == shard_format.index([])

    def test_a_sample_may_lack_label_text_and_pixels(self, shard_format: Format) -> None:
        bare = Sample("", b"\xff\xd8\xff", -1, "", 0, 0, "")
        ((_, found),) = [
            record for record in read(shard_format, write(shard_format, [bare])[0]) if isinstance(record, tuple)
        ]
        assert self.same(found, bare)

    def test_index_is_of_the_placements(self, shard_format: Format) -> None:
        _, placements, index = write(shard_format, samples())
        assert index == shard_format.index(placements)

    def test_placements_are_whole_records(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples())
        for placement, sample in zip(placements, samples(), strict=True):
            (record,) = read(shard_format, shard[placement.offset : placement.offset + placement.length])
            assert isinstance(record, tuple)
            assert self.same(record[1], sample)

    def test_no_flipped_bit_goes_unseen(self, shard_format: Format) -> None:
        shard, _, _ = write(shard_format, samples(3))
        whole = [record[1] for record in read(shard_format, shard) if isinstance(record, tuple)]
        for place in range(len(shard)):
            damaged = bytearray(shard)
            damaged[place] ^= 1 << place % 8
            found = read(shard_format, bytes(damaged))
            good = [record[1] for record in found if isinstance(record, tuple)]
            assert len(good) == 2, place
            assert [sample for sample in whole if sample in good] == good, place
            assert sum(isinstance(record, Damage) for record in found) == 1, place

    def test_no_cut_goes_unseen(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples(3))
        whole = read(shard_format, shard)
        ends = [placement.offset + placement.length for placement in placements]
        for size in range(len(shard)):
            found = read(shard_format, shard[:size])
            before = sum(end <= size for end in ends)
            assert found[:before] == whole[:before], size
            if size not in (0, *ends):
                (damage,) = found[before:]
                assert isinstance(damage, Damage), size
                assert (damage.record, damage.offset, damage.kind) == (before, [0, *ends][before], "truncated")
