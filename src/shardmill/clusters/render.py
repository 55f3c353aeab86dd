"""The `gcloud` commands that do what the provider does for a spec, to read, to keep or to run by hand.

They are whole lines of a POSIX shell: each value is quoted where it has to be, and where a list holds a comma, another
delimiter is used in the way that `gcloud topic escaping` describes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from shardmill.clusters.base import ClusterSpec, Job, NodeSpec
from shardmill.errors import UsageError

_DELIMITERS = "#@|;%~!"


def create_command(spec: ClusterSpec, name: str, *, project: str | None = None, region: str | None = None) -> str:
    """`gcloud dataproc clusters create` for a cluster called `name`, on several lines.

    It makes the machines, disks, limits, properties and labels of `spec`. The package is not installed by it.

    Args:
        spec: Of the provider `dataproc`.
        name: What the cluster is to be called.
        project: None: gcloud's own setting.
        region: Where the spec names none; None: gcloud's own setting.

    Raises:
        UsageError: the spec is of another provider.
    """
    if spec.provider != "dataproc":
        raise UsageError(f"the shape {spec.name} is of provider {spec.provider}; gcloud knows dataproc only")
    return _command(["gcloud", "dataproc", "clusters", "create", name], _create_flags(spec, project, region))


def submit_command(
    job: Job,
    main: str,
    cluster: str,
    *,
    words: tuple[str, ...] | None = None,
    project: str | None = None,
    region: str | None = None,
) -> str:
    """`gcloud dataproc jobs submit pyspark` for `job` on the cluster called `cluster`.

    Args:
        job: What to run.
        main: The script, as a path or URL: of an application the application, of a command shardmill's own.
        cluster: Name of the cluster.
        words: The script's arguments; None: the words of the job.
        project: None: gcloud's own setting.
        region: None: gcloud's own setting.
    """
    flags = [f"--cluster={cluster}", *_place(project, region), f"--id={job.id}"]
    if job.py_files:
        flags.append(f"--py-files={_list(job.py_files)}")
    if job.settings:
        flags.append(f"--properties={_pairs(job.settings)}")
    return _command(
        ["gcloud", "dataproc", "jobs", "submit", "pyspark", main], flags, job.words if words is None else words
    )


def delete_command(cluster: str, *, project: str | None = None, region: str | None = None) -> str:
    """`gcloud dataproc clusters delete` for the cluster called `cluster`, without a question."""
    words = ["gcloud", "dataproc", "clusters", "delete", cluster, *_place(project, region), "--quiet"]
    return shlex.join(words)


def _create_flags(spec: ClusterSpec, project: str | None, region: str | None) -> Iterator[str]:
    yield from _place(project, spec.region or region)
    if spec.zone is not None:
        yield f"--zone={spec.zone}"
    if spec.image_version is not None:
        yield f"--image-version={spec.image_version}"
    yield from _node_flags("master", spec.master)
    if spec.workers:
        yield f"--num-workers={spec.workers}"
        yield from _node_flags("worker", spec.worker)
    else:
        yield "--single-node"
    yield f"--delete-max-idle={spec.idle_delete_s}s"
    yield f"--delete-max-age={spec.max_age_s}s"
    if spec.properties:
        yield f"--properties={_pairs(spec.properties)}"
    if spec.labels:
        yield f"--labels={_pairs(spec.labels)}"


def _node_flags(role: str, node: NodeSpec) -> Iterator[str]:
    yield f"--{role}-machine-type={node.machine_type}"
    if node.boot_disk_type is not None:
        yield f"--{role}-boot-disk-type={node.boot_disk_type}"
    if node.boot_disk_gb:
        yield f"--{role}-boot-disk-size={node.boot_disk_gb}GB"
    if node.local_ssds:
        yield f"--num-{role}-local-ssds={node.local_ssds}"
        yield f"--{role}-local-ssd-interface={node.local_ssd_interface}"


def _place(project: str | None, region: str | None) -> list[str]:
    return [f"--{key}={value}" for key, value in (("project", project), ("region", region)) if value is not None]


def _pairs(values: Mapping[str, str]) -> str:
    return _list([f"{key}={value}" for key, value in values.items()])


def _list(items: list[str] | tuple[str, ...]) -> str:
    """`items` as gcloud takes a list: between commas, or where one holds a comma, between a character that none holds."""
    text = "".join(items)
    if "," not in text and not items[0].startswith("^"):
        return ",".join(items)
    delimiter = next((one for one in _DELIMITERS if one not in text), None)
    if delimiter is None:
        raise UsageError(f"the values {text[:80]!r} hold every delimiter that gcloud could take; leave one of them out")
    return f"^{delimiter}^{delimiter.join(items)}"


def _command(words: list[str], flags: list[str] | Iterator[str], arguments: tuple[str, ...] = ()) -> str:
    lines = [shlex.join(words), *(shlex.quote(flag) for flag in flags)]
    if arguments:
        lines.append(f"-- {shlex.join(arguments)}")
    return " \\\n    ".join(lines)
