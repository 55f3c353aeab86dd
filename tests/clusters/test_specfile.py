from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shardmill.clusters.base import ClusterSpec, NodeSpec
from shardmill.clusters.presets import PRESETS
from shardmill.clusters.specfile import from_preset, parse_shapes, read_yaml
from shardmill.errors import UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


def one(**values: Any) -> ClusterSpec:
    return parse_shapes([values], "sweep.yaml")[0]


def refusal(**values: Any) -> str:
    with pytest.raises(UsageError) as caught:
        one(**values)
    return str(caught.value)


CLOUD = {"name": "seven", "provider": "dataproc", "master": "n1-standard-2", "workers": 7}
HERE = {"name": "here", "provider": "local", "cores": 1, "memory": "1GB"}


def test_a_local_shape() -> None:
    assert one(name="here", provider="local", workers=2, cores=1, memory="1.5GB", usd_per_hour=0.1) == ClusterSpec(
        "here", "local", NodeSpec("local", 1, 1500), 2, NodeSpec("local", 0, 256), usd_per_hour=0.1
    )
    assert one(**HERE).workers == 1


def test_a_dataproc_shape(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        shapes:
          - name: seven
            provider: dataproc
            master: n1-standard-4
            worker: n1-standard-2
            workers: 7
            disk: {type: pd-ssd, size: 1TB}
            local_ssds: 1
            local_ssd_interface: scsi
            image: 2.2-debian12
            region: us-central1
            zone:
            properties: {"spark:spark.sql.shuffle.partitions": 64, "yarn:yarn.log-aggregation-enable": true}
            labels: {team: vision, year: 2026}
            idle_delete: 30m
            max_age: 1h30m
        """,
    )
    ssds: dict[str, Any] = {
        "boot_disk_type": "pd-ssd",
        "boot_disk_gb": 1000,
        "local_ssds": 1,
        "local_ssd_interface": "scsi",
    }
    assert parse_shapes(read_yaml(path)["shapes"], str(path)) == (
        ClusterSpec(
            "seven",
            "dataproc",
            NodeSpec("n1-standard-2", 2, 8053, **ssds),  # 7.5 GiB = 7.5 x 1,073.741824 MB
            7,
            NodeSpec("n1-standard-4", 4, 16106, **ssds),
            region="us-central1",
            image_version="2.2-debian12",
            properties={"spark:spark.sql.shuffle.partitions": "64", "yarn:yarn.log-aggregation-enable": "true"},
            labels={"team": "vision", "year": "2026"},
            idle_delete_s=1800,
            max_age_s=5400,
        ),
    )


def test_what_is_left_out() -> None:
    spec = one(**CLOUD)
    assert spec.worker == spec.master
    assert (spec.master.boot_disk_type, spec.master.boot_disk_gb, spec.master.local_ssds) == ("pd-balanced", 100, 0)
    assert (spec.idle_delete_s, spec.max_age_s, spec.region, spec.usd_per_hour) == (1800, 14400, None, None)
    single = one(name="one", provider="dataproc", master="e2-standard-8")
    assert (single.workers, single.task_cores) == (0, 8)


def test_a_machine_may_have_disks_of_its_own() -> None:
    spec = one(**CLOUD | {"worker": {"machine": "n2-standard-4", "local_ssds": 2}, "disk": {"size": "200GB"}})
    assert (spec.master.local_ssds, spec.worker.local_ssds) == (0, 2)
    assert (spec.master.boot_disk_gb, spec.worker.boot_disk_gb) == (200, 200)


def test_a_zone_tells_its_region() -> None:
    assert one(**CLOUD, zone="europe-west4-b").region == "europe-west4"
    assert "zone is 'us-east1-b'; it takes a zone of the region us-west1" in refusal(
        **CLOUD, region="us-west1", zone="us-east1-b"
    )


def test_machine_types_of_a_custom_or_unknown_size() -> None:
    custom = one(**CLOUD | {"master": "n2-custom-6-12288"}).master
    assert (custom.cores, custom.memory_mb) == (6, 12885)
    new = one(**CLOUD | {"master": {"machine": "z9-standard-8", "cores": 8, "memory": "32GB"}}).master
    assert (new.cores, new.memory_mb) == (8, 32000)
    assert (
        "master is 'n1-standart-2', a machine type that is not known here (did you mean 'n1-standard-2'?)"
        in refusal(**CLOUD | {"master": "n1-standart-2"})
    )
    assert "n1-standard-2, which has 2 vCPUs and 7.5 GiB; leave them out" in refusal(
        **CLOUD | {"master": {"machine": "n1-standard-2", "cores": 3}}
    )


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_shapes(name: str) -> None:
    spec = from_preset(name)
    assert spec.name == name
    assert spec.provider == PRESETS[name].shape["provider"]
    assert all(fact.endswith(".") for fact in PRESETS[name].facts)


def test_what_is_laid_over_a_preset() -> None:
    values: list[Any] = [
        "four-by-2",
        {"preset": "four-by-2", "name": "larger", "workers": 4, "disk": {"size": "200GB"}},
    ]
    plain, larger = parse_shapes(values, "sweep.yaml")
    assert (plain.name, plain.workers, plain.worker.boot_disk_gb) == ("four-by-2", 3, 100)
    assert (larger.name, larger.workers, larger.worker.boot_disk_gb) == ("larger", 4, 200)
    assert larger.worker.boot_disk_type == plain.worker.boot_disk_type == "pd-balanced"
    assert larger.image_version == "2.2-debian12"
    assert one(preset="single-8-ssd", disk={"size": "200GB"}).master.boot_disk_type == "pd-ssd"


def test_names_are_given_once() -> None:
    with pytest.raises(UsageError, match=r"sweep\.yaml: two shapes are called 'single-16'; give each a `name`"):
        parse_shapes(["single-16", {"preset": "single-16", "workers": 2}], "sweep.yaml")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            CLOUD | {"wrokers": 2},
            "shape 'seven': unknown key 'wrokers' (did you mean 'workers'?); it takes name, provider,",
        ),
        (CLOUD | {"cores": 2}, "unknown key 'cores' (that is for provider local)"),
        (HERE | {"labels": {"a": "b"}}, "unknown key 'labels' (that is for provider dataproc)"),
        (HERE | {"zone": "a"}, "unknown key 'zone' (that is for provider dataproc)"),
        (CLOUD | {"disk": {"kind": "pd-ssd"}}, "shape 'seven': disk: unknown key 'kind'; it takes type, size"),
        (
            CLOUD | {"disk": {"type": "pd-sdd"}},
            "disk: type is 'pd-sdd'; it takes one of pd-standard, pd-balanced, pd-ssd,",
        ),
        (CLOUD | {"disk": "pd-ssd"}, "disk is 'pd-ssd'; it takes a mapping with type, size"),
        (CLOUD | {"disk": {"size": 100}}, "disk: size is 100; it takes a size with its unit, in whole GB, like 100GB"),
        (CLOUD | {"disk": {"size": "100"}}, "size is '100'; it takes a size with its unit"),
        (CLOUD | {"disk": {"size": "100000000000"}}, "size is '100000000000'; it takes a size with its unit"),
        (CLOUD | {"disk": {"size": "100GiB"}}, "size is '100GiB'; it takes a size with its unit, in whole GB"),
        (CLOUD | {"disk": {"size": "large"}}, "size is 'large'; it takes a size with its unit"),
        (CLOUD | {"workers": "7"}, "workers is '7'; it takes a whole number of at least 0"),
        (CLOUD | {"workers": True}, "workers is True; it takes a whole number"),
        (CLOUD | {"workers": -1}, "workers is -1; it takes a whole number of at least 0"),
        (CLOUD | {"image": 2.2}, "image is 2.2; it takes text; put it in quotes where YAML reads something else"),
        (CLOUD | {"idle_delete": 30}, "idle_delete is 30; it takes a time with its unit, like 90s, 30m or 4h"),
        (CLOUD | {"max_age": "4 weeks"}, "max_age is '4 weeks'; it takes a time with its unit"),
        (CLOUD | {"usd_per_hour": "0.10 USD"}, "usd_per_hour is '0.10 USD'; it takes a number of USD"),
        (CLOUD | {"usd_per_hour": -1}, "usd_per_hour is -1; it takes a number of USD that is not negative"),
        (CLOUD | {"usd_per_hour": float("nan")}, "usd_per_hour is nan; it takes a number of USD"),
        (CLOUD | {"labels": ["a"]}, "labels is ['a']; it takes a mapping of names to texts"),
        (CLOUD | {"labels": {"a": None}}, "it takes names with texts or numbers, and 'a' has None"),
        (CLOUD | {"local_ssd_interface": "nvm"}, "it takes one of nvme, scsi (did you mean 'nvme'?)"),
        (CLOUD | {"master": 2}, "master is 2; it takes a machine type like n1-standard-2, or a mapping with `machine`"),
        (CLOUD | {"master": {"disk": {}}}, "shape 'seven': master has no machine; add `machine: n1-standard-2`"),
        ({"name": "bare", "provider": "dataproc"}, "shape 'bare' has no machines; add `master: n1-standard-2`"),
        ({"name": "w", "provider": "dataproc", "worker": "n1-standard-2"}, "has a `worker` and does not say how many"),
        ({"name": "here", "provider": "local", "cores": 1}, "shape 'here' has no memory; add `memory: 1GB`"),
        (HERE | {"workers": 0}, "workers is 0; it takes a whole number of at least 1"),
        (HERE | {"memory": "1kB"}, "memory is '1kB'; it takes a size with its unit, in whole MB, like 1GB"),
        (HERE | {"name": "two words"}, "name is 'two words'; it takes letters, digits"),
        ({"name": "x"}, "shape 'x' has no provider; add `provider: local` or `provider: dataproc`, or a `preset`"),
        (
            {"name": "x", "provider": "dataprc"},
            "provider is 'dataprc' (did you mean 'dataproc'?); it takes one of dataproc",
        ),
        ({"provider": "local", "cores": 1, "memory": "1GB"}, "shape 1 has no name; add `name: …`"),
        ({"preset": "single-6"}, "no preset is called 'single-6' (did you mean 'single-16'?); there are four-by-2,"),
        ({"preset": "single-16", "provider": "local"}, "the preset single-16 is for provider dataproc, not 'local'"),
        ({"preset": "local-1x1", "master": "n1-standard-2"}, "unknown key 'master' (that is for provider dataproc)"),
    ],
)
def test_what_is_refused(shape: dict[str, Any], message: str) -> None:
    said = refusal(**shape)
    assert said.startswith("sweep.yaml: ")
    assert message in said


@pytest.fixture
def another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that offers the provider `hosts`."""
    metadata = tmp_path / "hosts-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hosts\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[shardmill.providers]\nhosts = hosts:Provider\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("another_package")
def test_shapes_for_the_provider_of_another_package() -> None:
    machine = {"machine": "n1-standard-2", "cores": 4, "memory": "16GB"}
    spec = one(name="h", provider="hosts", master=machine, region="north", zone="shelf 3", disk={"type": "gp3"})
    node = NodeSpec("n1-standard-2", 4, 16000, boot_disk_type="gp3")
    assert spec == ClusterSpec("h", "hosts", node, 0, node, region="north", zone="shelf 3")
    assert "it takes one of dataproc, hosts, local" in refusal(name="h", provider="host")
    assert "not known here; if it exists, write `master: {machine: n1-standard-2, cores: …, memory: …}`" in refusal(
        name="h", provider="hosts", master="n1-standard-2"
    )


@pytest.mark.parametrize("values", [[], {}, "single-16", None])
def test_shapes_are_a_list(values: Any) -> None:
    with pytest.raises(UsageError, match=r"sweep\.yaml: shapes is .*; it takes a list with at least one shape"):
        parse_shapes(values, "sweep.yaml")


def test_a_shape_that_is_no_mapping() -> None:
    with pytest.raises(UsageError, match=r"sweep\.yaml: shape 2 is 3; it takes a mapping with name and provider"):
        parse_shapes(["single-16", 3], "sweep.yaml")  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shapes: [a\njob: b", "line 2: "),
        ("shapes: []\nshapes: []", "sweep.yaml, line 2: 'shapes' is given twice; mend the YAML there"),
        ("a: {x: 1, x: 2}", "'x' is given twice"),
        ("a: !!python/object/apply:os.system [echo]", "could not determine a constructor for the tag"),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("- a\n- b", "holds no keys; it takes `key: value` lines"),
        ("", "holds nothing; it takes `key: value` lines"),
        ("a: \x00", "is not YAML"),
        ("a: 2026-13-45", "is not YAML (month must be in 1..12); mend it"),
        ("a: " + "[" * 5000, "is not YAML"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read \(No such file or directory\); check its path"):
        read_yaml(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: \xe9")
    with pytest.raises(UsageError, match="is not text in UTF-8; save it as such"):
        read_yaml(path)


def test_merged_and_repeated_parts_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, "base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\n")
    assert read_yaml(path)["x"] == {"a": 1, "b": 3}


def test_a_value_that_unfolds_without_end_is_cut_short_in_the_message(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    path = written(tmp_path, "\n".join([*lines, "shapes: [{name: *a59, provider: local}]"]))
    with pytest.raises(UsageError) as caught:
        parse_shapes(read_yaml(path)["shapes"], "sweep.yaml")
    assert len(str(caught.value)) < 500
