"""What every reader must do: subclass it and give a `factory` fixture."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from shardmill.errors import DamageError, ShardmillError
from shardmill.speedtest.material import FileSet, Material, ShardSet, open_files, open_shards
from shardmill.speedtest.reader import Batch, ReaderFactory, ReaderOptions
from tests.pictures import class_folder

LANES = (1, 3, 5)


def read(
    factory: ReaderFactory, material: Material, window: tuple[int, int], number: int = 0, *, lanes: int, decode: bool
) -> list[Batch]:
    """The batches of one window."""
    with closing(factory(material, ReaderOptions(lanes, decode))) as reader:
        return list(reader.windows(*window)(number))


def encoded(batches: list[Batch]) -> list[bytes]:
    """The images of undecoded batches."""
    return [bytes(image) for batch in batches for image in np.asarray(batch.content, dtype=object)]


class ReaderConformance:
    """Both kinds of material, decoded and not, by one lane and by several."""

    @pytest.fixture
    def shard_set(self, shards: Path) -> ShardSet:
        return open_shards(str(shards))

    @pytest.fixture
    def file_set(self, photos: Path) -> FileSet:
        return open_files(str(photos), (48, 40))

    @pytest.mark.parametrize("lanes", LANES)
    @pytest.mark.parametrize("decode", [True, False])
    @pytest.mark.parametrize("kind", ["shards", "files"])
    def test_a_window_is_as_large_as_asked(
        self, factory: ReaderFactory, shard_set: ShardSet, file_set: FileSet, kind: str, lanes: int, decode: bool
    ) -> None:
        material: Material = shard_set if kind == "shards" else file_set
        for batch_size, num_batches in ((1, 1), (4, 3), (7, 9)):
            batches = read(factory, material, (batch_size, num_batches), 2, lanes=lanes, decode=decode)
            assert [batch.images for batch in batches] == [batch_size] * num_batches
            for batch in batches:
                if decode:
                    assert np.shape(batch.content) == (batch_size, 40, 48, 3)
                else:
                    assert len(batch.content) == batch_size

    @pytest.mark.parametrize("lanes", LANES)
    @pytest.mark.parametrize("kind", ["shards", "files"])
    def test_the_whole_set_comes_once_before_any_image_comes_again(
        self, factory: ReaderFactory, shard_set: ShardSet, file_set: FileSet, kind: str, lanes: int
    ) -> None:
        material: Material = shard_set if kind == "shards" else file_set
        if kind == "shards" and lanes == 5:
            lanes = 3  # more lanes than shards read some shards twice at once
        batches = read(factory, material, (10, 6), 1, lanes=lanes, decode=False)
        images = encoded(batches)
        assert len(set(images)) == 30
        assert set(Counter(images[:30]).values()) == {1}
        assert sum(batch.bytes for batch in batches) == sum(map(len, images))

    def test_windows_follow_each_other_and_may_be_read_again(self, factory: ReaderFactory, file_set: FileSet) -> None:
        with closing(factory(file_set, ReaderOptions(2, decode=False))) as reader:
            begin = reader.windows(2, 3)
            first, second, again = (encoded(list(begin(number))) for number in (0, 1, 0))
        paths = [Path(file_set.store.root, name).read_bytes() for name in file_set.all_files()]
        assert first == paths[:6]
        assert second == paths[6:12]
        assert again == first

    def test_windows_of_shards_begin_at_different_shards(self, factory: ReaderFactory, shard_set: ShardSet) -> None:
        starts = {encoded(read(factory, shard_set, (1, 1), number, lanes=1, decode=False))[0] for number in range(6)}
        assert len(starts) == 3

    def test_a_window_can_be_left_early(self, factory: ReaderFactory, shard_set: ShardSet) -> None:
        with closing(factory(shard_set, ReaderOptions(3, decode=True))) as reader:
            begin = reader.windows(2, 50)
            batches = begin(0)
            next(batches)
            batches.close()
            assert next(begin(1)).images == 2

    @pytest.mark.parametrize("lanes", [1, 3])
    def test_files_that_do_not_decode_are_left_out(self, factory: ReaderFactory, tmp_path: Path, lanes: int) -> None:
        source = class_folder(tmp_path / "photos", 6)
        (source / "ash/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
        (source / "ash/text.jpg").write_text("no image")
        batches = read(factory, open_files(str(source), (48, 40)), (4, 4), lanes=lanes, decode=True)
        assert [np.shape(batch.content) for batch in batches] == [(4, 40, 48, 3)] * 4

    @pytest.mark.parametrize("lanes", [1, 3])
    def test_files_of_which_none_decodes_are_refused(self, factory: ReaderFactory, tmp_path: Path, lanes: int) -> None:
        (tmp_path / "text.jpg").write_text("no image")
        with pytest.raises(ShardmillError, match="decode"):
            read(factory, open_files(str(tmp_path), (48, 40)), (4, 4), lanes=lanes, decode=True)

    @pytest.mark.parametrize("lanes", [1, 3])
    def test_damaged_shards_are_refused(self, factory: ReaderFactory, shards: Path, tmp_path: Path, lanes: int) -> None:
        shard = min(shards.glob("*.tfrecord")).read_bytes()
        (tmp_path / "x-00000-of-00001.tfrecord").write_bytes(shard[:-200] + bytes(200))
        damaged = open_shards(str(tmp_path), (48, 40))
        with pytest.raises(DamageError, match="run shardmill verify"):
            read(factory, damaged, (10, 4), lanes=lanes, decode=False)

    def test_strangers_of_several_sizes_are_brought_to_one(
        self, factory: ReaderFactory, photos: Path, tmp_path: Path
    ) -> None:
        from shardmill.operations.prepare.run import prepare

        prepare(str(photos), str(tmp_path / "uneven"), resize_mode="no", num_shards="1")
        uneven = open_shards(str(tmp_path / "uneven"))
        assert uneven.size == (256, 256)
        (batch,) = read(factory, uneven, (12, 1), lanes=2, decode=True)
        assert np.shape(batch.content) == (12, 256, 256, 3)
