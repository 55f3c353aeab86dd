"""From a provider's name to the provider."""

from __future__ import annotations

from shardmill.clusters.base import ClusterProvider
from shardmill.registry import PROVIDERS, load


def open_provider(name: str) -> ClusterProvider:
    """The provider called `name`, with its own configuration.

    Raises:
        UsageError: no such provider, or it is not configured.
        MissingExtraError: its packages are not installed.
    """
    provider: ClusterProvider = load(PROVIDERS, "cluster provider", name)()
    return provider
