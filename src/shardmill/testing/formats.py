"""What every shard format must do."""

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
    for record in records:
        writer.add(record)
    index = writer.finish()
    return file.getvalue(), list(writer.placements), index


def read(shard_format: Format, shard: bytes) -> Read:
    return list(shard_format.read(io.BytesIO(shard)))


class FormatConformance:
    """Subclass it and give a `shard_format` fixture."""

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
        assert index == shard_format.index(io.BytesIO(shard))

    def test_a_sample_may_lack_label_text_and_pixels(self, shard_format: Format) -> None:
        bare = Sample("", b"\xff\xd8\xff", -1, "", 0, 0, "")
        ((_, found),) = [
            record for record in read(shard_format, write(shard_format, [bare])[0]) if isinstance(record, tuple)
        ]
        assert self.same(found, bare)

    def test_index_is_that_of_the_file(self, shard_format: Format) -> None:
        shard, placements, index = write(shard_format, samples())
        assert shard_format.index(io.BytesIO(shard)) == index
        assert bool(index) == bool(shard_format.index_suffix)
        if index:
            assert shard_format.parse_index(index) == placements
            assert isinstance(shard_format.parse_index(b"x" + index), int)

    def test_records_are_found_and_read_one_by_one(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples())
        file = io.BytesIO(shard)
        assert shard_format.locate(file) in (placements, None)
        for placement, sample in reversed(list(zip(placements, samples(), strict=True))):
            found = shard_format.read_at(file, placement)
            assert isinstance(found, Sample)
            assert self.same(found, sample)

    def test_no_flipped_bit_gives_another_sample(self, shard_format: Format) -> None:
        """What is still read is as it was written, and where something is not read, damage says so."""
        shard, _, _ = write(shard_format, samples(3))
        whole = [record[1] for record in read(shard_format, shard) if isinstance(record, tuple)]
        for place in range(len(shard)):
            damaged = bytearray(shard)
            damaged[place] ^= 1 << place % 8
            found = read(shard_format, bytes(damaged))
            good = [record[1] for record in found if isinstance(record, tuple)]
            assert [sample for sample in whole if sample in good] == good, place
            assert len(good) == 3 or any(isinstance(record, Damage) for record in found), place

    def test_no_cut_goes_unseen(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples(3))
        whole = read(shard_format, shard)
        ends = [placement.offset + placement.length for placement in placements]
        for size in range(len(shard)):
            found = read(shard_format, shard[:size])
            good = [record for record in found if isinstance(record, tuple)]
            assert good == whole[: len(good)], size
            if size not in (0, *ends):
                assert isinstance(found[-1], Damage), size

    def test_good_records_are_salvaged(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples())
        copy = io.BytesIO()
        assert shard_format.salvage(io.BytesIO(shard), copy, {placements[1].offset}) == (3, 1)
        kept = [record[1] for record in read(shard_format, copy.getvalue()) if isinstance(record, tuple)]
        assert len(kept) == 3
        for sample, expected in zip(kept, [samples()[0], *samples()[2:]], strict=True):
            assert self.same(sample, expected)


class RecordWiseConformance(FormatConformance):
    """Of formats whose records stand one behind the other, so that damage to one leaves the others."""

    def test_placements_are_whole_records(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples())
        for placement, sample in zip(placements, samples(), strict=True):
            record = read(shard_format, shard[placement.offset : placement.offset + placement.length])[0]
            assert isinstance(record, tuple)
            assert self.same(record[1], sample)

    def test_a_flipped_bit_costs_its_record_alone(self, shard_format: Format) -> None:
        shard, placements, _ = write(shard_format, samples(3))
        whole = read(shard_format, shard)
        for place in range(placements[-1].offset + placements[-1].length):
            damaged = bytearray(shard)
            damaged[place] ^= 1 << place % 8
            found = read(shard_format, bytes(damaged))
            hit = next(number for number, place_ in enumerate(placements) if place < place_.offset + place_.length)
            damages = [record for record in found if isinstance(record, Damage)]
            if not damages:  # a bit that means nothing, as in padding
                assert found == whole, place
                continue
            good = [record for record in found if isinstance(record, tuple)]
            assert good == whole[:hit] + whole[hit + 1 :], place
            assert [damage.offset for damage in damages] == [placements[hit].offset], place

    def test_a_cut_costs_what_is_behind_it(self, shard_format: Format) -> None:
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
