"""Cluster shapes as people write them, in YAML or as Python dictionaries.

    shapes:
      - {name: laptop, provider: local, workers: 2, cores: 1, memory: 1GB, usd_per_hour: 0.10}
      - name: seven
        provider: dataproc
        master: n1-standard-2
        worker: n1-standard-2
        workers: 7
        disk: {type: pd-ssd, size: 100GB}
        region: us-central1
      - {preset: four-by-2, region: europe-west4}
      - single-16

A text is the name of a preset. `master` and `worker` take the name of a machine type, or a mapping with keys of their own:
`{machine: n2-standard-4, disk: {…}, local_ssds: 1, local_ssd_interface: nvme}`. Without `workers` a Dataproc cluster is a
single node. A boot disk is 100 GB of pd-balanced where nothing is said of it, not the 500 GB of Dataproc.

Shapes for the providers of other packages have the keys of Dataproc's. Nothing is known of their machines and disks, so
`cores` and `memory` stand beside each `machine`, and a cost needs `usd_per_hour`.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, cast

import yaml

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.machine_types import MachineType, machine_type, machine_types
from shardmill.clusters.nearest import did_you_mean
from shardmill.clusters.presets import PRESETS
from shardmill.errors import UsageError
from shardmill.registry import offers
from shardmill.units import parse_bytes, parse_duration

DISK_TYPES: Final = ("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_COMMON: Final = ("name", "provider", "workers", "idle_delete", "max_age", "usd_per_hour")
_NODE: Final = ("disk", "local_ssds", "local_ssd_interface")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "local": (*_COMMON, "cores", "memory"),
    "dataproc": (*_COMMON, "master", "worker", *_NODE, "image", "region", "zone", "properties", "labels"),
}
_LOCAL_MASTER: Final = NodeSpec("local", cores=0, memory_mb=256)
_IDLE_DELETE_S: Final = 1800
_MAX_AGE_S: Final = 4 * 3600
_SHOW: Final = reprlib.Repr()
_SHOW.maxstring, _SHOW.maxother, _SHOW.maxlevel = 80, 80, 2  # a file's anchors can unfold to any size


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in the YAML file at `path`, in which nothing but plain values can stand.

    Raises:
        UsageError: no such file, no YAML, a key given twice, or no mapping; with the line where that helps.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check its path") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8; save it as such") from error
    try:
        values = yaml.load(text, _Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: {error.problem}; mend the YAML there") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML ({' '.join(str(error).split())}); mend it") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds {'nothing' if values is None else 'no keys'}; it takes `key: value` lines")
    return values


def parse_shapes(values: Sequence[Mapping[str, Any] | str], where: str) -> tuple[ClusterSpec, ...]:
    """The shapes that `values` describe, in their order; `where` names their file in messages.

    Raises:
        UsageError: something in them is not as it has to be; the message names the shape and the key and says what is
            allowed. Or two have one name, or there is none.
    """
    given: Any = values  # whatever YAML holds
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise UsageError(f"{where}: shapes is {_SHOW.repr(given)}; it takes a list with at least one shape")
    specs: dict[str, ClusterSpec] = {}
    for position, value in enumerate(given, start=1):
        spec = _shape(value, where, position)
        if spec.name in specs:
            raise UsageError(f"{where}: two shapes are called {spec.name!r}; give each a `name` of its own")
        specs[spec.name] = spec
    return tuple(specs.values())


def from_preset(name: str) -> ClusterSpec:
    """The preset called `name` as it stands.

    Raises:
        UsageError: there is none.
    """
    return parse_shapes([name], "preset")[0]


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # no plain value, which its place refuses
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


class _Keys:
    """One mapping of a shape, and where it stands, for messages."""

    def __init__(self, values: Mapping[str, Any], place: str, allowed: Sequence[str]) -> None:
        self._values, self.place = values, place
        for key in values:
            if key not in allowed:
                self._unknown(str(key), allowed)

    def _unknown(self, key: str, allowed: Sequence[str]) -> NoReturn:
        others = [provider for provider, keys in _KEYS.items() if key in keys]
        hint = f" (that is for provider {others[0]})" if others else did_you_mean(key, allowed)
        raise UsageError(f"{self.place}: unknown key {key!r}{hint}; it takes {', '.join(allowed)}")

    def has(self, key: str) -> bool:
        """Whether `key` has a value; a key with nothing behind it counts as left out."""
        return self._values.get(key) is not None

    def refuse(self, key: str, expected: str) -> NoReturn:
        raise UsageError(f"{self.place}: {key} is {_SHOW.repr(self._values[key])}; it takes {expected}")

    def text(self, key: str) -> str | None:
        if self.has(key) and not (isinstance(self._values[key], str) and self._values[key].strip()):
            self.refuse(key, "text; put it in quotes where YAML reads something else")
        return self._values[key].strip() if self.has(key) else None

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.text(key)
        if value is not None and value not in choices:
            self.refuse(key, f"one of {', '.join(choices)}{did_you_mean(value, choices)}")
        return value or default

    def whole(self, key: str, default: int, low: int = 0) -> int:
        value = self._values[key] if self.has(key) else default
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            self.refuse(key, f"a whole number of at least {low}")
        return value

    def price(self, key: str) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            self.refuse(key, "a number of USD that is not negative, like 0.10")
        return float(value)

    def size(self, key: str, unit: int, example: str, default: int) -> int:
        """A size with its unit, in multiples of `unit` bytes."""
        if not self.has(key):
            return default
        value = self._values[key]
        count = 0.0
        if isinstance(value, str) and not value.strip().isdecimal():
            try:
                count = parse_bytes(value) / unit
            except UsageError:
                count = 0.0  # told below, with the key
        if count < 1 or count != int(count):
            self.refuse(key, f"a size with its unit, in whole {'GB' if unit == 10**9 else 'MB'}, like {example}")
        return int(count)

    def seconds(self, key: str, default: int) -> int:
        if not self.has(key):
            return default
        value = self._values[key]
        try:
            seconds = parse_duration(value) if isinstance(value, str) else 0
        except UsageError:
            seconds = 0  # told below, with the key
        if seconds < 1:
            self.refuse(key, "a time with its unit, like 90s, 30m or 4h")
        return round(seconds)

    def texts(self, key: str) -> dict[str, str]:
        """A mapping of texts; numbers, true and false stand for the text they are written as."""
        if not self.has(key):
            return {}
        value = self._values[key]
        if not isinstance(value, Mapping):
            self.refuse(key, "a mapping of names to texts")
        texts = {}
        for name, one in value.items():
            if not isinstance(name, str) or not isinstance(one, str | int | float):
                self.refuse(key, f"names with texts or numbers, and {_SHOW.repr(name)} has {_SHOW.repr(one)}")
            texts[name] = str(one).lower() if isinstance(one, bool) else str(one)
        return texts

    def inner(self, key: str, allowed: Sequence[str]) -> _Keys:
        """The mapping behind `key`, empty where it is left out."""
        value = self._values[key] if self.has(key) else {}
        if not isinstance(value, Mapping):
            self.refuse(key, f"a mapping with {', '.join(allowed)}")
        return _Keys(value, f"{self.place}: {key}", allowed)

    def raw(self, key: str) -> Any:  # noqa: ANN401  # whatever YAML holds
        return self._values.get(key)


def _shape(value: Any, where: str, position: int) -> ClusterSpec:  # noqa: ANN401  # whatever YAML holds
    given = {"preset": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise UsageError(
            f"{where}: shape {position} is {_SHOW.repr(value)}; it takes a mapping with name and provider, "
            "or the name of a preset"
        )
    named = given.get("name") if given.get("name") is not None else given.get("preset")
    place = f"{where}: shape {named!r}" if isinstance(named, str) else f"{where}: shape {position}"
    if given.get("preset") is not None:
        given = _on_preset(given, place)
    provider = given.get("provider")
    if provider is None:
        raise UsageError(f"{place} has no provider; add `provider: local` or `provider: dataproc`, or a `preset`")
    if not isinstance(provider, str) or provider not in _KEYS:
        known = sorted({*_KEYS, *(offered for offered, _ in offers("cluster provider"))})
        if provider not in known:
            hint = did_you_mean(str(provider), known)
            raise UsageError(f"{place}: provider is {_SHOW.repr(provider)}{hint}; it takes one of {', '.join(known)}")
    keys = _Keys(given, place, _KEYS.get(provider, _KEYS["dataproc"]))
    name = keys.text("name")
    if name is None:
        raise UsageError(f"{place} has no name; add `name: …`, which is what tables call it")
    if _NAME.fullmatch(name) is None:
        keys.refuse("name", "letters, digits, '.', '_' and '-', up to 60 of them, a letter or digit first")
    return _local(name, keys) if provider == "local" else _cloud(name, provider, keys)


def _on_preset(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The preset that `given` names, with what else it says laid over it."""
    name = given["preset"]
    if not isinstance(name, str) or name not in PRESETS:
        hint = did_you_mean(str(name), PRESETS)
        raise UsageError(
            f"{place}: no preset is called {_SHOW.repr(name)}{hint}; there are {', '.join(sorted(PRESETS))}"
        )
    shape = PRESETS[name].shape
    if given.get("provider") not in (None, shape["provider"]):
        raise UsageError(
            f"{place}: the preset {name} is for provider {shape['provider']}, not {_SHOW.repr(given['provider'])}; "
            "leave `provider` out, or write the shape without a preset"
        )
    merged: dict[str, Any] = {"name": name, **shape}
    for key, value in given.items():
        if key != "preset" and value is not None:
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = {**merged[key], **value} if both else value
    return merged


def _local(name: str, keys: _Keys) -> ClusterSpec:
    for key, example in (("cores", "1"), ("memory", "1GB")):
        if not keys.has(key):
            raise UsageError(f"{keys.place} has no {key}; add `{key}: {example}`, what each worker has")
    worker = NodeSpec("local", cores=keys.whole("cores", 1, low=1), memory_mb=keys.size("memory", 10**6, "1GB", 0))
    return ClusterSpec(name, "local", worker, keys.whole("workers", 1, low=1), _LOCAL_MASTER, **_common(keys))


def _cloud(name: str, provider: str, keys: _Keys) -> ClusterSpec:
    if not keys.has("master") and not keys.has("worker"):
        raise UsageError(f"{keys.place} has no machines; add `master: n1-standard-2` and, with workers, `worker: …`")
    if keys.has("worker") and not keys.has("workers"):
        raise UsageError(f"{keys.place} has a `worker` and does not say how many; add `workers: 2` or more")
    workers = keys.whole("workers", 0)
    google = provider == "dataproc"
    master = _node(keys, "master" if keys.has("master") else "worker", google)
    worker = _node(keys, "worker" if keys.has("worker") else "master", google)
    region, zone = keys.text("region"), keys.text("zone")
    if google and zone is not None:
        of_zone = zone.rpartition("-")[0]
        if region is not None and region != of_zone:
            keys.refuse("zone", f"a zone of the region {region}, like {region}-b, or nothing")
        region = of_zone
    return ClusterSpec(
        name,
        provider,
        worker,
        workers,
        master,
        region=region,
        zone=zone,
        image_version=keys.text("image"),
        properties=keys.texts("properties"),
        labels=keys.texts("labels"),
        **_common(keys),
    )


def _common(keys: _Keys) -> dict[str, Any]:
    return {
        "idle_delete_s": keys.seconds("idle_delete", _IDLE_DELETE_S),
        "max_age_s": keys.seconds("max_age", _MAX_AGE_S),
        "usd_per_hour": keys.price("usd_per_hour"),
    }


def _node(keys: _Keys, role: str, google: bool) -> NodeSpec:
    """The machine under `role`; what it does not say of its disks is what the shape says. `google`: of its types."""
    raw = keys.raw(role)
    if not isinstance(raw, str | Mapping):
        keys.refuse(role, "a machine type like n1-standard-2, or a mapping with `machine`")
    own = keys.inner(role, ("machine", "cores", "memory", *_NODE)) if isinstance(raw, Mapping) else None
    name = own.text("machine") if own else keys.text(role)
    if name is None:
        raise UsageError(f"{keys.place}: {role} has no machine; add `machine: n1-standard-2`")
    cores, memory_mb = _size(name, own, keys, role, machine_type(name) if google else None)
    of_disk, of_ssds, of_interface = (own if own and own.has(key) else keys for key in _NODE)
    disk = of_disk.inner("disk", ("type", "size"))
    interface = of_interface.choice("local_ssd_interface", ("nvme", "scsi"), "nvme")
    return NodeSpec(
        name,
        cores,
        memory_mb,
        boot_disk_type=disk.choice("type", DISK_TYPES, "pd-balanced") if google else disk.text("type"),
        boot_disk_gb=disk.size("size", 10**9, "100GB", 100 if google else 0),
        local_ssds=of_ssds.whole("local_ssds", 0),
        local_ssd_interface=cast(Literal["nvme", "scsi"], interface),
    )


def _size(name: str, own: _Keys | None, keys: _Keys, role: str, known: MachineType | None) -> tuple[int, int]:
    """vCPUs and MB of the machine type `name`, which need not be known if the shape tells both."""
    declared = own is not None and (own.has("cores") or own.has("memory"))
    if known is not None:
        if declared:
            raise UsageError(
                f"{keys.place}: {role} says `cores` or `memory` of {name}, which has {known.vcpus} vCPUs and "
                f"{known.memory_gib:g} GiB; leave them out"
            )
        return known.vcpus, known.memory_mb
    if own is not None and own.has("cores") and own.has("memory"):
        return own.whole("cores", 0, low=1), own.size("memory", 10**6, "8GB", 0)
    hint = "" if name in machine_types() else did_you_mean(name, machine_types())
    raise UsageError(
        f"{keys.place}: {role} is {name!r}, a machine type that is not known here{hint}; if it exists, write "
        f"`{role}: {{machine: {name}, cores: …, memory: …}}`"
    )
