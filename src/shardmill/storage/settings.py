"""How object stores are to be reached: what the user says beyond a URL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from shardmill.errors import UsageError
from shardmill.units import in_range

SCHEMES: Final[Mapping[str, str]] = {"gs": "gs", "gcs": "gs", "s3": "s3", "s3a": "s3"}
"""Schemes of object stores, and the one under which each is known here."""

REQUESTS_AT_ONCE: Final = 32
"""Of one process. At 25 ms a request and 2 ms of work, 16 would keep a core busy; the rest is for slower answers."""
DEFAULT_TIMEOUT_S: Final = 120.0
_LEAST_TIMEOUT_S: Final = 1
_FORM: Final = "write it like endpoint_url=http://host:9000, as a JSON object, or as @file.json"


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """What every process of a run must know to reach the same stores. Pickles; its `repr` shows no secret."""

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Constructor arguments of the fsspec file system, by scheme (`gs`, `s3`); under the empty scheme, of each."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    """How long failures of transport of one request are retried."""
    conditional: bool = True
    """The store can write on condition that nobody else has; without it there is no lock."""

    def of(self, scheme: str) -> dict[str, Any]:
        """Constructor arguments for the file system of `scheme`."""
        return {**self.options.get("", {}), **self.options.get(scheme, {})}


def parse_settings(
    options: str | Mapping[str, Any] | None = None, timeout_s: float = DEFAULT_TIMEOUT_S, *, conditional: bool = True
) -> StorageSettings:
    """The settings that `--storage-options`, `--store-timeout` and `--no-lock` ask for.

    Raises:
        UsageError: `options` is neither a mapping, nor JSON, nor `name=value` pairs, nor the name of a JSON file.
    """
    timeout_s = in_range("--store-timeout", timeout_s, _LEAST_TIMEOUT_S)
    values = {} if options is None else dict(options) if isinstance(options, Mapping) else _parse_text(options.strip())
    by_scheme: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if SCHEMES.get(name) is not None and isinstance(value, Mapping):
            by_scheme.setdefault(SCHEMES[name], {}).update(value)
        else:
            by_scheme.setdefault("", {})[name] = value
    return StorageSettings(by_scheme, timeout_s, conditional)


def _parse_text(text: str) -> dict[str, Any]:
    """None of the messages repeats the text: it may hold secrets."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"cannot read the file of --storage-options: {reason}; {_FORM}") from error
    if text.startswith("{"):
        try:
            parsed = json.loads(text)
        except ValueError:
            raise UsageError(f"--storage-options begins like JSON and is none; {_FORM}") from None
        assert isinstance(parsed, dict)
        return parsed
    values: dict[str, Any] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--storage-options is not a list of names and values; {_FORM}")
        *folders, last = name.strip().split(".")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                raise UsageError(f"--storage-options gives {folder} twice, as a value and as a group; {_FORM}")
        place[last] = _typed(value.strip())
    return values


def _typed(text: str) -> Any:  # noqa: ANN401  # a JSON value
    try:
        return json.loads(text)
    except ValueError:
        return text
