"""Real `DataLoader`s with 0, 1 and 2 workers, and two ranks."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

import shardmill
from tests.extras import needed
from tests.loading.conftest import COUNT, flat

torch = needed("torch")

pytestmark = [
    pytest.mark.torch,
    pytest.mark.parametrize("num_workers", [0, 1, 2]),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),  # as DataLoader does it
]


def labelled(images: shardmill.Images) -> dict[bytes, int]:
    """Number of each sample by its pixels, which differ."""
    found = {item.image.tobytes(): number for number, item in enumerate(images)}
    assert len(found) == len(images)
    return found


def numbers(loader: Any, known: dict[bytes, int]) -> list[list[int]]:
    """Which samples are in each batch."""
    return [[known[image.permute(1, 2, 0).contiguous().numpy().tobytes()] for image in batch] for batch, _ in loader]


@pytest.fixture(scope="module")
def images(square: str) -> shardmill.Images:
    return shardmill.open(square)


@pytest.fixture(scope="module")
def known(images: shardmill.Images) -> dict[bytes, int]:
    return labelled(images)


def test_map_style(num_workers: int, images: shardmill.Images, known: dict[bytes, int]) -> None:
    dataset = images.torch()
    assert len(dataset) == COUNT
    image, label = dataset[3]
    assert (image.shape, image.dtype, label) == ((3, 32, 32), torch.uint8, images.label(3))
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, num_workers=num_workers)
    assert flat(numbers(loader, known)) == list(range(COUNT))
    with pytest.raises(IndexError):
        dataset[COUNT]


def test_iterable(num_workers: int, images: shardmill.Images, known: dict[bytes, int]) -> None:
    dataset = images.torch_batches(8, seed=5)
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=num_workers)
    expected = [batch.numbers.tolist() for batch in images.batches(8, seed=5)]
    assert numbers(loader, known) == expected
    assert numbers(loader, known) == expected  # the epoch is what it was set to
    dataset.set_epoch(1)
    assert numbers(loader, known) != expected
    assert len(loader) == len(expected)


def test_persistent_workers_hear_of_a_new_epoch(
    num_workers: int, images: shardmill.Images, known: dict[bytes, int]
) -> None:
    dataset = images.torch_batches(8)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=None, num_workers=num_workers, persistent_workers=num_workers > 0
    )
    native = images.batches(8)
    for epoch in range(3):
        dataset.set_epoch(epoch)
        assert numbers(loader, known) == [batch.numbers.tolist() for batch in native]


def test_each_worker_keeps_its_state(num_workers: int, images: shardmill.Images) -> None:
    """As loaders ask for it that save the state of each worker, with the batches that were handed out."""
    dataset = images.torch_batches(8)
    running = iter(dataset)
    first = [next(running) for _ in range(3)]
    state = dataset.state_dict()
    again = images.torch_batches(8)
    again.load_state_dict(state)
    rest = [labels.tolist() for _, labels in again]
    whole = [labels.tolist() for _, labels in images.torch_batches(8)]
    assert [labels.tolist() for _, labels in first] + rest == whole


@pytest.mark.parametrize("ranks", ["exact", "even"])
def test_two_ranks(num_workers: int, ranks: Any, square: str, known: dict[bytes, int]) -> None:
    images = shardmill.open(square).split("train")
    known = labelled(images)
    count = len(images)
    assert count % 2
    loaders = [
        images.torch_loader(8, num_workers=num_workers, rank=rank, world_size=2, ranks=ranks) for rank in range(2)
    ]
    seen = [numbers(loader, known) for loader in loaders]
    everything = sorted(flat(flat(seen)))
    if ranks == "exact":
        assert everything == list(range(count))
    else:
        assert list(map(len, seen[0])) == list(map(len, seen[1]))
        assert len(loaders[0]) == len(loaders[1]) == len(seen[0])
        assert sorted(set(everything)) == list(range(count))
        assert len(everything) == count + 1
    native = [images.batches(8, rank=rank, world_size=2, ranks=ranks) for rank in range(2)]
    assert seen == [[batch.numbers.tolist() for batch in loader] for loader in native]
    second = [numbers(loader, known) for loader in loaders]
    assert second == [[batch.numbers.tolist() for batch in loader] for loader in native]
    assert second != seen


@pytest.mark.parametrize("consumed", [1, 3])
def test_it_resumes_behind_what_was_consumed(
    num_workers: int, consumed: int, images: shardmill.Images, known: dict[bytes, int]
) -> None:
    loader = images.torch_loader(8, num_workers=num_workers, seed=9)
    whole = numbers(loader, known)
    expected = numbers(loader, known)
    loader.set_epoch(1)
    before = numbers(islice(loader, consumed), known)
    state = loader.state_dict()  # the workers are ahead
    assert state["position"] == 8 * consumed
    resumed = images.torch_loader(8, num_workers=num_workers, seed=9)
    resumed.load_state_dict(state)
    assert before + numbers(resumed, known) == expected
    assert resumed.state_dict()["epoch"] == 2
    resumed.set_epoch(0)
    assert numbers(resumed, known) == whole


def test_batches_and_transforms(num_workers: int, images: shardmill.Images, ragged: str) -> None:
    pixels, labels = next(iter(images.torch_loader(8, num_workers=num_workers, shuffle=False)))
    assert (pixels.shape, pixels.dtype) == ((8, 3, 32, 32), torch.uint8)
    assert labels.tolist() == [images.label(number) for number in range(8)]
    assert np.array_equal(pixels[5].permute(1, 2, 0).numpy(), images[5].image)
    halved, _ = next(iter(images.torch_loader(8, half, num_workers=num_workers, shuffle=False)))
    assert torch.equal(halved, pixels / 2)
    several, _ = next(iter(shardmill.open(ragged).torch_loader(8, num_workers=num_workers, shuffle=False)))
    assert isinstance(several, list)
    assert {image.shape[0] for image in several} == {3}
    assert images.torch(half)[0][0].dtype == torch.float32


def half(image: Any) -> Any:
    return image / 2
