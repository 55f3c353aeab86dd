"""A spec as JSON, for what keeps it outside of this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shardmill.clusters.base import ClusterSpec, NodeSpec


def plain_spec(spec: ClusterSpec) -> dict[str, Any]:
    """What `spec_of` takes, made of JSON's types alone."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(spec)))
    return plain


def spec_of(plain: Mapping[str, Any]) -> ClusterSpec:
    """The spec that `plain_spec` was given."""
    nodes = {kind: NodeSpec(**plain[kind]) for kind in ("worker", "master")}
    return ClusterSpec(**{**plain, **nodes})
