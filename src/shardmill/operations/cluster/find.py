"""From a cluster's name to the cluster, whichever provider has it."""

from __future__ import annotations

from collections.abc import Iterator

from shardmill.clusters.base import Cluster, ClusterProvider
from shardmill.clusters.open import open_provider
from shardmill.errors import UsageError
from shardmill.registry import PROVIDERS, offers


def usable_providers(name: str | None) -> Iterator[tuple[str, ClusterProvider]]:
    """The provider called `name`, or all that are installed and configured here.

    Raises:
        UsageError: the one that was named is neither.
    """
    if name is not None:
        yield name, open_provider(name)
        return
    for each in dict.fromkeys([*PROVIDERS, *(other for other, _ in offers("cluster provider"))]):
        try:
            yield each, open_provider(each)
        except UsageError:
            continue  # who has no account there has no clusters there


def find_cluster(name: str, provider: str | None) -> tuple[ClusterProvider, Cluster]:
    """The cluster called `name`.

    Raises:
        UsageError: there is none.
        ClusterError: a provider does not answer.
    """
    known = []
    for _, opened in usable_providers(provider):
        for cluster in opened.find():
            if cluster.name == name:
                return opened, cluster
            known.append(cluster.name)
    there = f"there are: {', '.join(sorted(known))}" if known else "there is none; make one with: shardmill cluster up"
    raise UsageError(f"there is no cluster {name!r}; {there}.")
