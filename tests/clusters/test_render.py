from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardmill.clusters.base import ClusterSpec, Job
from shardmill.clusters.render import create_command, delete_command, submit_command
from shardmill.clusters.specfile import from_preset, parse_shapes
from shardmill.errors import UsageError


def one(**values: Any) -> ClusterSpec:
    return parse_shapes([values], "shapes")[0]


def flag_of(command: str, flag: str) -> str:
    """The value of `flag` in `command`, as a shell would hand it over."""
    words = shlex.split(command)
    (value,) = [word.partition("=")[2] for word in words if word.partition("=")[0] == flag]
    return value


def as_gcloud_reads(text: str) -> dict[str, str]:
    """A list of pairs, by the rules of `gcloud topic escaping`."""
    delimiter = ","
    if text.startswith("^") and "^" in text[1:]:
        delimiter, _, text = text[1:].partition("^")
    return {key: value for key, _, value in (pair.partition("=") for pair in text.split(delimiter))}


def test_a_standard_cluster() -> None:
    spec = one(
        name="seven",
        provider="dataproc",
        master="n1-standard-4",
        worker="n1-standard-2",
        workers=7,
        disk={"type": "pd-ssd", "size": "100GB"},
        local_ssds=1,
        local_ssd_interface="scsi",
        image="2.2-debian12",
        zone="us-central1-b",
        properties={"spark:spark.executor.extraJavaOptions": "-Da=1,2 -Db=$HOME", "dataproc:x": "y"},
        labels={"team": "vision", "year": 2026},
        idle_delete="30m",
        max_age="4h",
    )
    assert create_command(spec, "seven-1", project="my-project").splitlines() == [
        "gcloud dataproc clusters create seven-1 \\",
        "    --project=my-project \\",
        "    --region=us-central1 \\",
        "    --zone=us-central1-b \\",
        "    --image-version=2.2-debian12 \\",
        "    --master-machine-type=n1-standard-4 \\",
        "    --master-boot-disk-type=pd-ssd \\",
        "    --master-boot-disk-size=100GB \\",
        "    --num-master-local-ssds=1 \\",
        "    --master-local-ssd-interface=scsi \\",
        "    --num-workers=7 \\",
        "    --worker-machine-type=n1-standard-2 \\",
        "    --worker-boot-disk-type=pd-ssd \\",
        "    --worker-boot-disk-size=100GB \\",
        "    --num-worker-local-ssds=1 \\",
        "    --worker-local-ssd-interface=scsi \\",
        "    --delete-max-idle=1800s \\",
        "    --delete-max-age=14400s \\",
        "    '--properties=^#^spark:spark.executor.extraJavaOptions=-Da=1,2 -Db=$HOME#dataproc:x=y' \\",
        "    --labels=team=vision,year=2026",
    ]


def test_a_single_node_has_no_workers() -> None:
    command = create_command(from_preset("single-8-ssd"), "one", region="europe-west4")
    assert "--single-node" in command
    assert "worker" not in command
    assert flag_of(command, "--region") == "europe-west4"
    assert flag_of(command, "--master-boot-disk-size") == "500GB"


def test_the_region_of_the_spec_goes_before() -> None:
    command = create_command(one(preset="four-by-2", region="us-east1"), "four", region="europe-west4")
    assert flag_of(command, "--region") == "us-east1"


def test_a_local_shape_has_no_command() -> None:
    with pytest.raises(UsageError, match="the shape local-1x1 is of provider local; gcloud knows dataproc only"):
        create_command(from_preset("local-1x1"), "one")


@given(
    st.dictionaries(
        st.from_regex(r"spark:[a-z.]{1,9}", fullmatch=True), st.text("ab ,#^@|;'\"\\$=!\n", max_size=12), min_size=1
    )
)
def test_properties_arrive_as_they_are(properties: dict[str, str]) -> None:
    spec = one(preset="four-by-2", properties=properties)
    assert as_gcloud_reads(flag_of(create_command(spec, "four"), "--properties")) == properties


def test_a_shell_reads_the_words_that_were_meant() -> None:
    spec = one(preset="single-16", properties={"spark:a": 'it\'s $HOME `id` \\ "x" ,#'}, labels={"a": ""})
    command = create_command(spec, "one").replace("gcloud", "printf '%s\\0'", 1)
    printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.split("\0")
    assert '--properties=^@^spark:a=it\'s $HOME `id` \\ "x" ,#' in printed
    assert "--labels=a=" in printed
    assert printed[:4] == ["dataproc", "clusters", "create", "one"]


def test_a_value_with_every_delimiter_is_refused() -> None:
    spec = one(preset="four-by-2", properties={"spark:a": ",#@|;%~!"})
    with pytest.raises(UsageError, match="hold every delimiter that gcloud could take; leave one of them out"):
        create_command(spec, "four")


def test_a_job() -> None:
    job = Job(
        id="sort-1",
        words=("prepare", "gs://in/my images", "gs://out/set", "--size", "224"),
        settings={"spark.executor.cores": "2", "spark.x": "a,b"},
        py_files=("gs://b/one.py", "gs://b/two.zip"),
    )
    assert submit_command(job, "gs://b/job.py", "four", project="p", region="us-east1").splitlines() == [
        "gcloud dataproc jobs submit pyspark gs://b/job.py \\",
        "    --cluster=four \\",
        "    --project=p \\",
        "    --region=us-east1 \\",
        "    --id=sort-1 \\",
        "    --py-files=gs://b/one.py,gs://b/two.zip \\",
        "    '--properties=^#^spark.executor.cores=2#spark.x=a,b' \\",
        "    -- prepare 'gs://in/my images' gs://out/set --size 224",
    ]
    other = submit_command(job, "job.py", "four", words=("gs://b/results", "--", "prepare"))
    assert other.endswith("-- gs://b/results -- prepare")


def test_a_job_without_words_has_no_separator() -> None:
    assert not submit_command(Job(id="a", words=(), app="app.py"), "app.py", "four").rstrip().endswith("--")


def test_deletion() -> None:
    assert delete_command("four", project="p", region="us-east1") == (
        "gcloud dataproc clusters delete four --project=p --region=us-east1 --quiet"
    )
