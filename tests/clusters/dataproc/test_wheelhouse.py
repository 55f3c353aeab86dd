from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import shardmill
from shardmill.clusters.dataproc.wheelhouse import (
    ARCHIVE,
    build,
    install_script,
    own_wheel,
    publish_wheelhouse,
    requirements,
    wheelhouse_folder,
)
from shardmill.errors import UsageError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_own_wheel_holds_the_package_as_it_runs_here(tmp_path: Path) -> None:
    with zipfile.ZipFile(own_wheel(tmp_path)) as wheel:
        names = wheel.namelist()
        assert wheel.testzip() is None
        assert "shardmill/clusters/dataproc/install.sh" in names
        assert not any("__pycache__" in name or name.endswith((".c", ".h")) for name in names)
        codecs = {f"shardmill/image/jpeg/codec-{name}.so" for name in ("x86_64", "x86_64_v3", "x86_64_vnni", "aarch64")}
        assert codecs <= set(names)
        info = f"shardmill-{shardmill.__version__}.dist-info"
        assert {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")} <= set(names)
        record = wheel.read(f"{info}/RECORD").decode().splitlines()
        assert len(record) == len(names)


def test_own_wheel_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert own_wheel(tmp_path / "a").read_bytes() == own_wheel(tmp_path / "b").read_bytes()


def test_machines_get_no_spark_and_nothing_that_makes_clusters() -> None:
    names = {line.partition("==")[0] for line in requirements()}
    assert {"numpy", "pyarrow", "gcsfs", "google-auth"} <= names
    assert not {"pyspark", "tensorflow", "google-cloud-dataproc", "google-cloud-monitoring"} & names


def test_place_changes_with_what_is_in_it() -> None:
    one = wheelhouse_folder("gs://b/shardmill", "3.11", "/opt/a")
    assert one == wheelhouse_folder("gs://b/shardmill", "3.11", "/opt/a")
    assert one != wheelhouse_folder("gs://b/shardmill", "3.12", "/opt/a")
    assert one.startswith("gs://b/shardmill/wheels/")


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    folder = Path(wheelhouse_folder(str(tmp_path), "3.11", "/opt/a"))
    folder.mkdir(parents=True)
    (folder / "install.sh").write_text("here already")
    assert publish_wheelhouse(str(tmp_path), "3.11", "/opt/a") == f"{folder}/install.sh"
    assert [path.name for path in folder.iterdir()] == ["install.sh"]


def test_wheels_that_do_not_exist_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the wheels for the machines \(Python 2\.7, Linux\) cannot be fetched"):
        publish_wheelhouse(str(tmp_path), "2.7", "/opt/a")
    assert not any(tmp_path.rglob("install.sh"))


def test_script_is_valid_and_says_which_python_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "install.sh"
    script.write_text(install_script(str(tmp_path / ARCHIVE), "2.7", str(tmp_path / "home")))
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    run = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "this image has no Python 2.7" in run.stderr


@pytest.mark.slow
def test_machine_without_internet_installs_the_package(tmp_path: Path) -> None:
    archive = build(tmp_path, PYTHON)
    with tarfile.open(archive) as wheels:
        assert any(name.startswith("wheels/numpy-") for name in wheels.getnames())
    script = tmp_path / "install.sh"
    script.write_text(install_script(str(archive), PYTHON, str(tmp_path / "home")))
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    run = subprocess.run(["bash", script], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == f"shardmill {shardmill.__version__}"
    code = "import shardmill, gcsfs, shardmill.image.jpeg.library as codec; codec.library(); print(shardmill.__file__)"
    python = tmp_path / "home" / "bin" / "python"
    where = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    assert where.startswith(str(tmp_path / "home"))
