"""`shardmill cluster render`: a shape as the commands a person would type, with its bill and what is known against it."""

from __future__ import annotations

from dataclasses import dataclass

from shardmill.arguments import checked
from shardmill.clusters import render
from shardmill.clusters.cost import bill
from shardmill.clusters.limits import objections
from shardmill.clusters.prices import price_table
from shardmill.operations.cluster.lifecycle import default_name, read_shape


@dataclass(frozen=True, slots=True)
class ClusterCommands:
    """One shape, written out."""

    shape: str
    create: str
    delete: str
    bill: str
    """Of one hour, a line for each thing that is paid for."""
    objections: tuple[str, ...]
    """Why Dataproc would refuse it, as far as that is known without asking."""


@checked
def cluster_render(
    spec: str,
    *,
    shape: str | None = None,
    name: str | None = None,
    project: str | None = None,
    region: str | None = None,
    prices: str | None = None,
) -> ClusterCommands:
    """Write a shape out as the gcloud commands that make and delete the same cluster, with the price of an hour.

    Nothing is asked or made, and no account is needed. The package itself is not put on the cluster by these commands.

    Args:
        spec: YAML file with `shapes:`, such as a sweep file, or the name of a preset.
        shape: Which of the file's shapes; needed where it has several.
        name: What the cluster is to be called; by default from the shape and the user.
        project: Google Cloud project; by default gcloud's own setting.
        region: Region where the shape names none; by default gcloud's own setting.
        prices: JSON file of prices to lay over the table that comes with shardmill.

    Returns:
        The commands.

    Raises:
        UsageError: there is no such shape, it is not for Dataproc, or its machines have no price.
    """
    chosen = read_shape(spec, shape)
    called = name or default_name(chosen.name)
    priced = bill(chosen, 3600.0, price_table(prices))
    return ClusterCommands(
        shape=chosen.name,
        create=render.create_command(chosen, called, project=project, region=region),
        delete=render.delete_command(called, project=project, region=chosen.region or region),
        bill="" if priced is None else str(priced),
        objections=tuple(objections(chosen)),
    )
