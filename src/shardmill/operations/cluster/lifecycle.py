"""`shardmill cluster up`, `list` and `down`."""

from __future__ import annotations

import getpass
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shardmill.arguments import checked
from shardmill.clusters.base import Cluster, ClusterSpec, check, delete_or_tell
from shardmill.clusters.cost import bill, usd_per_hour
from shardmill.clusters.open import open_provider
from shardmill.clusters.prices import price_table
from shardmill.clusters.specfile import from_preset, parse_shapes, read_yaml
from shardmill.errors import ShardmillError, UsageError
from shardmill.operations.cluster.find import usable_providers


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """One cluster that is there."""

    name: str
    provider: str
    shape: str
    state: str
    nodes: int
    """That run tasks."""
    cores: int
    """That run tasks, in all."""
    age_s: float
    expires_in_s: float
    """Until it deletes itself at the latest."""
    usd_per_hour: float | None
    usd: float | None
    """So far."""
    address: str
    facts: Mapping[str, str]
    delete_command: str


@dataclass(frozen=True, slots=True)
class ClusterList:
    """What is there, and who could not be asked."""

    clusters: tuple[ClusterInfo, ...]
    unanswered: tuple[str, ...]
    """Providers that did not answer, each with the reason."""
    prices: str


@dataclass(frozen=True, slots=True)
class ClusterDeleted:
    """What `cluster down` deleted."""

    deleted: tuple[str, ...]


@checked
def cluster_up(
    spec: str,
    *,
    shape: str | None = None,
    name: str | None = None,
    say: Callable[[str], None] | None = None,
) -> ClusterInfo:
    """Make a cluster, and wait until it is ready. It stays until it is deleted, or until its own limits delete it.

    Args:
        spec: YAML file with `shapes:`, such as a sweep file, or the name of a preset.
        shape: Which of the file's shapes; needed where it has several.
        name: What to call it, [a-z][a-z0-9-]*; by default from the shape and the user.
        say: Called with a line about each step.

    Returns:
        The cluster.

    Raises:
        UsageError: the shape cannot be made, or a cluster of that name is there.
        ClusterError: it could not be made; the message says what is left.
    """
    chosen = read_shape(spec, shape)
    called = name or default_name(chosen.name)
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", called):
        raise UsageError(f"--name is {called!r}; it takes up to 40 of a-z, 0-9 and -, a letter first")
    provider = open_provider(chosen.provider)
    check(provider, chosen)
    if called in [cluster.name for cluster in provider.find()]:
        raise UsageError(
            f"a cluster {called} is there already; give another --name, or: {provider.delete_command(called)}"
        )
    if say is not None:
        say(
            f"making {called}: {chosen.task_nodes} x {chosen.task_node.machine_type}, {chosen.task_cores} cores that run tasks"
        )
    try:
        provider.create(chosen, called, detached=True)
        cluster = provider.wait_ready(called)
    except BaseException:
        delete_or_tell(provider, called)
        raise
    return _info(cluster, provider.delete_command(called))


@checked
def cluster_list(*, provider: str | None = None) -> ClusterList:
    """List the clusters that shardmill made and that are still there, what they cost, and how to delete each.

    Args:
        provider: Only of this provider: local or dataproc; by default of all that are configured.

    Returns:
        The clusters.

    Raises:
        UsageError: no such provider, or it is not configured.
    """
    found, unanswered = [], []
    for name, opened in usable_providers(provider):
        try:
            found += [_info(cluster, opened.delete_command(cluster.name)) for cluster in opened.find()]
        except ShardmillError as error:
            unanswered.append(f"{name}: {error}")
    table = price_table()
    return ClusterList(tuple(found), tuple(unanswered), table.title)


@checked
def cluster_down(
    *names: str, provider: str | None = None, all: bool = False, say: Callable[[str], None] | None = None
) -> ClusterDeleted:
    """Delete clusters, and wait until nothing is paid for any longer. What is gone already is no error.

    Args:
        names: What they are called.
        provider: Of which provider; by default of all that are configured.
        all: Delete every cluster that shardmill made.
        say: Called with a line about each step.

    Returns:
        What was deleted.

    Raises:
        UsageError: no name is given.
        ClusterError: one may still be there; the message says how to delete it.
    """
    if bool(names) == all:
        raise UsageError("name the clusters to delete, or give --all; `shardmill cluster list` shows them")
    deleted = []
    for _, opened in usable_providers(provider):
        there = [cluster.name for cluster in opened.find()]
        for name in there if all else [name for name in names if name in there]:
            if say is not None:
                say(f"deleting {name}")
            opened.delete(name)
            deleted.append(name)
    return ClusterDeleted(tuple(deleted))


def read_shape(spec: str, shape: str | None) -> ClusterSpec:
    """The shape called `shape` in the YAML file `spec`, or the preset of that name.

    Raises:
        UsageError: there is none, or the file has several and none is named.
    """
    if not spec.endswith((".yaml", ".yml")):
        return from_preset(spec)
    values = read_yaml(spec)
    if "shapes" not in values:
        raise UsageError(f"{spec} lacks 'shapes'; write a list of shapes under it.")
    shapes = {each.name: each for each in parse_shapes(values["shapes"], spec)}
    if shape is None and len(shapes) > 1:
        raise UsageError(f"{spec} has several shapes; name one with --shape: {', '.join(shapes)}")
    if shape is not None and shape not in shapes:
        raise UsageError(f"{spec} has no shape {shape!r}; it has: {', '.join(shapes)}")
    return shapes[shape] if shape is not None else next(iter(shapes.values()))


def default_name(shape: str) -> str:
    """What a cluster of that shape is called where nobody says."""
    slug = re.sub(r"[^a-z0-9]+", "-", f"{getpass.getuser()}-{shape}".lower()).strip("-")
    return f"sm-{slug}"[:40].rstrip("-")


def _info(cluster: Cluster, delete_command: str) -> ClusterInfo:
    table, age_s = price_table(), max(time.time() - cluster.created_at, 0.0)
    so_far = bill(cluster.spec, age_s, table)
    return ClusterInfo(
        name=cluster.name,
        provider=cluster.provider,
        shape=cluster.spec.name,
        state=cluster.state,
        nodes=cluster.spec.task_nodes,
        cores=cluster.spec.task_cores,
        age_s=age_s,
        expires_in_s=cluster.expires_at - time.time(),
        usd_per_hour=usd_per_hour(cluster.spec, table),
        usd=None if so_far is None else so_far.usd,
        address=cluster.address,
        facts=dict(cluster.facts),
        delete_command=delete_command,
    )
