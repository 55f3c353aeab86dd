"""What works on this machine, and what to do about what does not."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import psutil

from shardmill.arguments import checked
from shardmill.clusters.dataproc.config import read_config
from shardmill.errors import MissingExtraError, ShardmillError, UsageError
from shardmill.image.jpeg.library import codec_version, variant
from shardmill.java import Java, find_java
from shardmill.machine import available_cores
from shardmill.registry import ENGINES, GROUPS, load, offers
from shardmill.units import format_bytes, format_seconds

Status = Literal["ok", "warn", "fail"]

_LITTLE_MEMORY: Final = 1 << 30
_LITTLE_DISK: Final = 1 << 30
_CLOUD_PATIENCE_S: Final = 10.0
_FEW_FILES: Final = 1024
_TENSORFLOW_TIMEOUT_S: Final = 120
_PREPARE: Final = "shardmill doctor --deep"
_REQUIREMENT: Final = re.compile(r"[A-Za-z0-9._-]+")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    status: Status
    """`warn`: shardmill works without it; `fail`: it does not, or what is installed is broken."""
    value: str
    remedy: str = ""
    """What to do; empty where the status is `ok`."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Everything looked at, in the order to show it."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Nothing failed; warnings are allowed."""
        return all(check.status != "fail" for check in self.checks)


@checked
def doctor(*, deep: bool = False) -> DoctorReport:
    """Look at what shardmill needs on this machine.

    Args:
        deep: Also run a small Spark job, make Spark start quicker here from now on, and import TensorFlow, which takes up to
            a minute.
    """
    return DoctorReport((*_packages(), *_spark(deep=deep), *_tensorflow(deep=deep), *_stores(), *_cloud(), *_machine()))


def lines(report: DoctorReport) -> list[str]:
    """The report as aligned text, a remedy under each line that needs one."""
    width = max(len(check.name) for check in report.checks)
    text = []
    for check in report.checks:
        text.append(f"{check.status:<4}  {check.name:<{width}}  {check.value}")
        if check.remedy:
            text.append(f"{'':<{width + 8}}{check.remedy}")
    return text


def _packages() -> Iterator[Check]:
    yield Check("Python", "ok", platform.python_version())
    try:
        requirements = metadata.requires("shardmill") or []
        yield Check("shardmill", "ok", metadata.version("shardmill"))
    except metadata.PackageNotFoundError:
        yield Check("shardmill", "fail", "not installed", "install it with: pip install shardmill")
        return
    for requirement in requirements:
        if "extra ==" not in requirement:
            match = _REQUIREMENT.match(requirement)
            assert match is not None
            yield _package(match[0], "fail", f"install it with: pip install '{requirement}'")
    yield _codec()
    for kind in GROUPS:
        for name, package in offers(kind):
            yield Check(f"{kind} {name}", "ok", f"of the package {package}")


def _codec() -> Check:
    try:
        return Check("JPEG codec", "ok", f"{codec_version()}, for {variant()}")
    except UsageError as error:
        return Check("JPEG codec", "fail", "cannot be used", str(error))


def _package(name: str, if_missing: Status, remedy: str) -> Check:
    version = _version(name)
    return Check(name, if_missing, "not installed", remedy) if version is None else Check(name, "ok", version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _spark(*, deep: bool) -> Iterator[Check]:
    yield _package("pyspark", "warn", "needed for --engine spark: pip install 'shardmill[spark]'")
    spark_version = _version("pyspark")
    if spark_version is None:
        return
    try:
        java = find_java(spark_version)
    except UsageError as error:
        yield Check("Java", "fail", "none that this Spark can use", str(error))
        return
    yield Check("Java", "ok", f"{java.version} from {java.origin}: {java.home}")
    if deep:
        yield _spark_job()
    yield _spark_start(java, deep=deep)


def _spark_job() -> Check:
    began = time.perf_counter()
    try:
        engine = load(ENGINES, "engine", "spark")()
        results = sorted(engine.run(abs, [-1, -2, -3]))
    except MissingExtraError as error:
        return Check("Spark job", "fail", "pyspark cannot be imported", str(error))
    except ShardmillError as error:
        return Check("Spark job", "fail", "failed", str(error))
    assert results == [1, 2, 3], results
    return Check("Spark job", "ok", f"{engine.describe()['master']}, {format_seconds(time.perf_counter() - began)}")


def _spark_start(java: Java, *, deep: bool) -> Check:
    from shardmill.engines.spark_start import prepared_command, prepared_folder, what_configures

    name = "Spark's start"
    if (configured := what_configures()) is not None:
        return Check(name, "ok", f"by its own scripts, since {configured} configures it")
    if deep:  # anew, for who reinstalled pyspark
        from shardmill.engines.spark_record import prepare_start  # imports pyspark

        try:
            prepare_start()
        except ShardmillError as error:
            return Check(name, "warn", "not prepared", f"local jobs wait longer for it: {error}")
    folder = prepared_folder(java)
    if prepared_command(java) is None:
        return Check(name, "warn", "not prepared", f"local jobs start 1 to 2 s sooner after: {_PREPARE} (in {folder})")
    size = sum(file.stat().st_size for file in folder.iterdir())
    return Check(name, "ok", f"prepared, {format_bytes(size)} in {folder}")


def _tensorflow(*, deep: bool) -> Iterator[Check]:
    version = _version("tensorflow") or _version("tensorflow-cpu")
    if version is None:
        yield Check(
            "tensorflow", "warn", "not installed", "needed for --transform tensorflow: pip install 'shardmill[tf]'"
        )
    elif not deep:
        yield Check("tensorflow", "ok", version)
    else:
        yield _tensorflow_import(version)


def _tensorflow_import(version: str) -> Check:
    """In a process of its own: a build for another processor ends it with a signal."""
    command = [sys.executable, "-c", "import tensorflow"]
    began = time.perf_counter()
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_TENSORFLOW_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Check("tensorflow", "fail", f"{version}, not imported after {_TENSORFLOW_TIMEOUT_S} s", "reinstall it")
    if run.returncode == 0:
        return Check("tensorflow", "ok", f"{version}, imported in {format_seconds(time.perf_counter() - began)}")
    said = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
    return Check("tensorflow", "fail", f"{version}, cannot be imported: {said[-1]}", "reinstall it, or leave it out")


def _stores() -> Iterator[Check]:
    """What object stores need; asks no network, so that credentials found may still be expired."""
    yield _package("gcsfs", "warn", "needed for gs://: pip install 'shardmill[gcp]'")
    if _version("gcsfs") is not None:
        yield _google_credentials()
    yield _package("s3fs", "warn", "needed for s3://: pip install 'shardmill[aws]'")
    if _version("s3fs") is not None:
        yield _aws_credentials()


def _google_credentials() -> Check:
    name, given = "Google credentials", os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if given:
        if Path(given).is_file():
            return Check(name, "ok", f"key file {given}")
        return Check(name, "fail", f"GOOGLE_APPLICATION_CREDENTIALS names no file: {given}", "correct or unset it")
    folder = Path(os.environ.get("CLOUDSDK_CONFIG", "~/.config/gcloud")).expanduser()
    if (folder / "application_default_credentials.json").is_file():
        return Check(name, "ok", f"of the user, in {folder}")
    remedy = "on a machine of Google's its service account serves; elsewhere: gcloud auth application-default login"
    return Check(name, "warn", "no key file, and none of the user", remedy)


def _aws_credentials() -> Check:
    name = "AWS credentials"
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return Check(name, "ok", "from AWS_ACCESS_KEY_ID")
    files = [os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), "~/.aws/config"]
    found = next((file for file in files if Path(file).expanduser().is_file()), None)
    if found is not None:
        return Check(name, "ok", f"from {found}, profile {os.environ.get('AWS_PROFILE', 'default')}")
    remedy = "on a machine of Amazon's its role serves; elsewhere set AWS_ACCESS_KEY_ID, or: aws configure"
    return Check(name, "warn", "no variables and no profile", remedy)


def _cloud() -> Iterator[Check]:
    """What clusters of Google need; asks Google only where a project is configured."""
    yield _package("google-cloud-dataproc", "warn", "needed for clusters of Google: pip install 'shardmill[gcp]'")
    if _version("google-cloud-dataproc") is None:
        return
    from shardmill.clusters.dataproc.project import look  # seconds of imports
    from shardmill.clusters.dataproc.rest import GoogleRest

    try:
        config = read_config()
    except UsageError as error:
        yield Check("Google project", "warn", "not configured", f"for clusters of Google: {error}")
        return
    value = f"{config.project}, {config.region}, gs://{config.bucket}"
    try:
        rest = GoogleRest(config, patience_s=_CLOUD_PATIENCE_S)
        findings = list(look(config, rest))
    except ShardmillError as error:
        yield Check("Google project", "warn", value, str(error))
        return
    yield Check("Google project", "ok", value)
    for finding in findings:
        yield Check(f"Google {finding.name}", "ok" if finding.ok else "warn", finding.value, finding.remedy)


def _machine() -> Iterator[Check]:
    yield _cores(available_cores(), cgroup_cores())
    yield _memory(psutil.virtual_memory().available, cgroup_memory_bytes())
    yield _free_disk("disk here", Path.cwd(), "choose a DEST on a disk with more room")
    yield _free_disk("disk for temporary files", Path(tempfile.gettempdir()), "point TMPDIR to a disk with more room")
    yield _open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _cores(allowed: int, quota: float | None) -> Check:
    if quota is not None and quota < allowed:
        remedy = f"this container gets the time of {quota:g} cores: use --workers {max(1, int(quota))}"
        return Check("cores", "warn", f"{allowed}, limited to {quota:g}", remedy)
    machine = os.cpu_count() or allowed
    return Check("cores", "ok", str(allowed) if allowed == machine else f"{allowed} of {machine}")


def _memory(available: int, limit: int | None) -> Check:
    usable = available if limit is None else min(available, limit)
    value = f"{format_bytes(usable)} free" + ("" if limit is None else f", limited to {format_bytes(limit)}")
    if usable < _LITTLE_MEMORY:
        return Check("memory", "warn", value, "use fewer --workers, or close other programs")
    return Check("memory", "ok", value)


def _free_disk(name: str, folder: Path, remedy: str) -> Check:
    free = shutil.disk_usage(folder).free
    value = f"{format_bytes(free)} free in {folder}"
    return Check(name, "warn", value, remedy) if free < _LITTLE_DISK else Check(name, "ok", value)


def _open_files(limit: int) -> Check:
    if limit == resource.RLIM_INFINITY:
        return Check("open files", "ok", "unlimited")
    if limit < _FEW_FILES:
        return Check("open files", "warn", str(limit), f"raise the limit with: ulimit -n {_FEW_FILES}")
    return Check("open files", "ok", str(limit))


def cgroup_cores(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> float | None:
    """Cores' worth of time that the control group allows; None without a limit or without control groups (v2)."""
    shares = []
    for text in _cgroup_values("cpu.max", root, own):
        quota, _, period = text.partition(" ")
        if quota != "max":
            shares.append(int(quota) / int(period))
    return min(shares, default=None)


def cgroup_memory_bytes(root: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int | None:
    """Bytes of memory that the control group allows; None without a limit or without control groups (v2)."""
    return min((int(text) for text in _cgroup_values("memory.max", root, own) if text != "max"), default=None)


def _cgroup_values(file: str, root: Path, own: Path) -> Iterator[str]:
    """The file's content in our group and every group around it: the least of them holds."""
    entries = own.read_text(encoding="ascii").splitlines() if own.is_file() else []
    inside = next((entry.removeprefix("0::/") for entry in entries if entry.startswith("0::/")), "")
    group = root / inside
    for folder in (group, *group.parents):
        if folder.is_relative_to(root) and (folder / file).is_file():
            yield (folder / file).read_text(encoding="ascii").strip()
