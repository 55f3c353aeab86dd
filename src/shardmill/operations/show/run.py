"""`shardmill show`: see what is in the shards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from shardmill.arguments import checked
from shardmill.dataset import Dataset
from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import Sample
from shardmill.image.base import ImageSpec, Refused
from shardmill.image.native import NativeTransform
from shardmill.operations.show.facts import set_facts
from shardmill.operations.show.result import ShowResult
from shardmill.operations.show.sampling import Draw, draw_samples
from shardmill.operations.show.sheet import SCALE, THUMB, WIDEST, Tile, contact_sheet
from shardmill.operations.show.words import groups_of, sheet_facts
from shardmill.storage import parse_settings, scheme_of
from shardmill.storage.settings import DEFAULT_TIMEOUT_S

_MOST_SHOWN: Final = 2_000


@checked
def show(
    dest: str,
    *,
    output: str | None = None,
    count: int | None = None,
    seed: int = 0,
    allow_incomplete: bool = False,
    storage_options: str | Mapping[str, Any] | None = None,
    store_timeout: float = DEFAULT_TIMEOUT_S,
) -> ShowResult:
    """Draw a contact sheet of a data set and say what is in it.

    Args:
        dest: A data set that prepare wrote, or shards of anyone (TFRecord, WebDataset tar, Parquet): a folder, a file, or a
            pattern like 'data/train-*'.
        output: File for the contact sheet, a PNG; by default next to DEST, called DEST-contact-sheet.png, or for
            a bucket here, where the command runs.
        count: How many images to show, in equal shares over the classes; by default eight a class, 40 to 96 in all.
        seed: Another seed shows other images.
        allow_incomplete: Also look into a set that prepare has not finished.
        storage_options: What fsspec's file system takes for gs:// or s3://: endpoint_url=http://host:9000,anon=true, or JSON,
            or @file.json.
        store_timeout: Seconds for which a request to an object store is retried.

    Returns:
        What was seen, and where the sheet is.

    Raises:
        DamageError: the set is not finished (unless `allow_incomplete`), or holds no record that can be shown.
        UsageError: there is no data set, or the sheet cannot be written.
    """
    if count is not None and not 1 <= count <= _MOST_SHOWN:
        raise UsageError(f"--count is {count}; it takes a number from 1 to {_MOST_SHOWN}")
    storage = parse_settings(storage_options, store_timeout)
    dataset = Dataset.open(dest, allow_incomplete=allow_incomplete, storage=storage)
    count = min(96, max(40, 8 * len(dataset.labels))) if count is None else count
    target = Path(output).expanduser() if output is not None else _default_output(dataset)
    draw = draw_samples(dataset, count, seed)
    samples, pictures = _decoded(draw)
    if not samples and draw.damage:
        where, what = draw.damage[0]
        raise DamageError(f"{dest} has no record that can be shown ({where}: {what}); run shardmill verify on it.")
    facts = set_facts(dataset, draw)
    sizes = Counter(f"{sample.width}x{sample.height}" for sample in samples)
    name = Path(dataset.root).name or dataset.root
    groups, numbers = groups_of(samples, facts)
    tiles = [Tile(number, picture) for number, picture in zip(numbers, pictures, strict=True)]
    sheet = contact_sheet(tiles, sheet_facts(name, facts, groups, sizes, draw.damage))
    _save(sheet, target)
    return ShowResult(
        dest=dataset.root,
        name=name,
        sheet=str(target),
        shown=len(tiles),
        shown_sizes=dict(sizes.most_common()),
        damage=tuple(draw.damage),
        facts=facts,
    )


def _decoded(draw: Draw) -> tuple[list[Sample], list[Image.Image]]:
    """The samples whose images decode, and the images, scaled for the sheet; the others are added to the damage."""
    samples: list[Sample] = []
    pictures: list[Image.Image] = []
    height = THUMB * SCALE
    spec = ImageSpec(width=round(WIDEST * height), height=height, resize_mode="keep_ratio_largest")
    outcomes = NativeTransform(spec).run(sample.image for sample in draw.samples)
    for sample, outcome in zip(draw.samples, outcomes, strict=True):
        if isinstance(outcome, Refused):
            draw.damage.append((sample.key, f"{outcome.reason}: {outcome.detail}"))
            continue
        source = outcome.source
        samples.append(_sized(sample, source.width, source.height))
        pictures.append(Image.open(BytesIO(outcome.jpeg)).convert("RGB"))
    return samples, pictures


def _sized(sample: Sample, width: int, height: int) -> Sample:
    return sample if sample.width and sample.height else replace(sample, width=width, height=height)


def _default_output(dataset: Dataset) -> Path:
    root = Path(dataset.root)
    if scheme_of(dataset.root):
        return Path(f"{root.name}-contact-sheet.png")
    return root.with_name(f"{root.name or 'root'}-contact-sheet.png")


def _save(sheet: Image.Image, target: Path) -> None:
    """Whole or not at all."""
    if target.suffix.lower() != ".png":
        raise UsageError(f"--output {target} is no PNG; give a name that ends in .png")
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        sheet.save(scratch, format="PNG")
        scratch.replace(target)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UsageError(
            f"cannot write {target}: {error.strerror or error}. Choose another file with --output."
        ) from error
