"""What to do about what DEST already holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, Literal

from shardmill.errors import DamageError, UsageError
from shardmill.formats.base import FormatOptions
from shardmill.formats.choose import make_format
from shardmill.formats.tfds import TFDS_FILES
from shardmill.layout import DUPLICATES, INDEX_SUFFIX, LABELS, MANIFEST, SUCCESS, samples_name
from shardmill.operations.prepare.names import shard_name
from shardmill.plan import store as plan_store
from shardmill.plan.store import Plan
from shardmill.spec import PrepareSpec
from shardmill.storage import Store, UnreadableError

OnExists = Literal["resume", "overwrite", "fail"]


def plan_to_follow(
    store: Store, spec: PrepareSpec, source_root: str, fingerprint: str, on_exists: OnExists, *, moved: bool
) -> Plan | None:
    """The plan to continue, or None where a new one is to be taken.

    Raises:
        UsageError: DEST holds something else than what is asked for.
    """
    plan = None if on_exists == "overwrite" else plan_store.load(store)
    if on_exists == "overwrite":
        remove_old(store)
        return None
    if plan is None:
        check_empty(store)
        return None
    if on_exists == "fail":
        raise UsageError(
            f"{store.root} already holds a data set; choose another DEST, or --on-exists resume or overwrite."
        )
    if plan.spec != spec.to_json():
        raise UsageError(
            f"{store.root} was begun with other options ({_difference(_as_asked(plan.spec), _as_asked(spec.to_json()))}); repeat those, choose another "
            "DEST, or start anew with --on-exists overwrite."
        )
    if plan.source_root != source_root and not moved:
        raise UsageError(
            f"{store.root} was begun from {plan.source_root}, not {source_root}; if the same images have moved there, add --moved, "
            "else choose another DEST or --on-exists overwrite."
        )
    if plan.fingerprint != fingerprint:
        raise UsageError(
            f"{store.root} was begun with other versions of the image codecs, so the bytes would differ ({plan.fingerprint[:150]} then, "
            f"{fingerprint[:150]} now); install those, or start anew with --on-exists overwrite."
        )
    return plan


def check_empty(store: Store) -> None:
    """See that DEST holds nothing but what a plan that was never finished left, and remove that.

    Raises:
        UsageError: it holds something else.
    """
    if store.size(MANIFEST) is not None:
        raise UsageError(
            f"{store.root} holds a data set whose _plan is gone, so it cannot be continued; choose another DEST, or start anew with "
            "--on-exists overwrite."
        )
    known = ("_tmp/", "_plan/", "_lock")
    strangers = [entry.path for entry in store.list() if not entry.path.startswith((".", *known))]
    if strangers:
        raise UsageError(
            f"{store.root} is not empty ({', '.join(strangers[:3])}{' …' if len(strangers) > 3 else ''}) and holds no data set of ours; "
            "choose an empty or a new folder as DEST."
        )
    for entry in list(store.list()):
        if entry.path.startswith("_plan/"):  # of a plan that was never finished
            store.remove(entry.path)


def remove_old(store: Store) -> None:
    """Delete what the manifest or plan in DEST names, and nothing else; what must not be taken for whole goes first."""
    plan = None
    with suppress(DamageError):  # the manifest may still name the files
        plan = plan_store.load(store)
    names = set(_named_by_manifest(store)) | set(_named_by_plan(plan))
    if not names:
        check_empty(store)
    for name in (SUCCESS, MANIFEST, LABELS, DUPLICATES):
        store.remove(name)
    for name in sorted(names):
        store.remove(name)
    with suppress(UnreadableError):  # there is no such folder
        for entry in list(store.list("_plan")):
            store.remove(entry.path)


def _named_by_manifest(store: Store) -> Iterator[str]:
    if store.size(MANIFEST) is None:
        return
    try:
        shards: list[dict[str, Any]] = json.loads(store.read(MANIFEST))["data"]["shards"]
        names = [str(shard["name"]) for shard in shards]
    except (ValueError, KeyError, TypeError) as error:
        raise DamageError(
            f"{store.root}/{MANIFEST} is damaged ({error}), so what is ours cannot be told; empty the folder by hand."
        ) from error
    for number, name in enumerate(names):
        if "/" not in name and name not in ("", ".", ".."):
            yield from (name, name + INDEX_SUFFIX, samples_name(number))


def _named_by_plan(plan: Plan | None) -> Iterator[str]:
    if plan is None:
        return
    tfds_name = plan.spec.get("tfds_name")
    options = FormatOptions(compression=plan.spec.get("compression", "none"))
    suffix = make_format(plan.spec.get("shard_format", "tfrecord"), options).suffix
    if tfds_name is not None:
        yield from TFDS_FILES
    for task in plan.tasks:
        name = shard_name(PrepareSpec(tfds_name=tfds_name), task, suffix)
        yield from (name, name + INDEX_SUFFIX, samples_name(task.number))


_FLAGS: Final = {
    "shuffle": "no-shuffle",
    "shard_format": "format",
    "tfds_name": "tfds",
    "max_shard_bytes": "max-shard-size",
    "per_split": "num-shards",
    "labels": "labels-file",
}


def _shown(value: object) -> str:
    return "not given" if value is None else str(value)


def _as_asked(spec: dict[str, Any]) -> dict[str, Any]:
    """`spec` with width and height as the one flag that they come from."""
    image = dict(spec.get("image", {}))
    size = f"{image.pop('width', None)}x{image.pop('height', None)}"
    return {**spec, "image": {**image, "size": size}}


def _difference(then: dict[str, Any], now: dict[str, Any]) -> str:
    found = []
    for name in sorted(then.keys() | now.keys()):
        old, new = then.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            if old != new:
                found.append(_difference(old, new))
        elif old != new:
            flag = _FLAGS.get(name, name).replace("_", "-")
            found.append(f"--{flag} {_shown(old)} then, {_shown(new)} now")
    return "; ".join(found)
