from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from shardmill.engines.spark_start import prepared_folder, what_configures
from shardmill.image.jpeg import library as codec
from shardmill.java import Java
from shardmill.operations import doctor as module
from shardmill.operations.doctor import Check, DoctorReport, cgroup_cores, cgroup_memory_bytes, doctor, lines
from tests.extras import needed


def check(report: DoctorReport, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


def test_this_machine_is_healthy() -> None:
    report = doctor()
    assert report.healthy
    core = ("Python", "shardmill", "numpy", "pyarrow", "simplejpeg", "JPEG codec")
    assert {check(report, name).status for name in core} == {"ok"}
    assert int(check(report, "cores").value.split()[0].rstrip(",")) >= 1


def test_every_check_that_is_not_ok_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_version", lambda name: None)
    report = doctor()
    bad = [each for each in report.checks if each.status != "ok"]
    assert {"numpy", "pillow", "pyspark", "tensorflow"} <= {each.name for each in bad}
    assert all(each.remedy for each in bad)
    assert not any(each.remedy for each in report.checks if each.status == "ok")
    assert not report.healthy


def test_codec_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "variant", lambda: "none")
    codec.library.cache_clear()
    broken = check(doctor(), "JPEG codec")
    assert (broken.status, broken.value) == ("fail", "cannot be used")
    assert "codec-none.so is missing: install shardmill again" in broken.remedy


def test_missing_core_package_names_the_version_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_version", lambda name: None)
    assert check(doctor(), "pillow").remedy == "install it with: pip install 'pillow>=11.0'"


def test_missing_extras_are_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module._version
    monkeypatch.setattr(
        module, "_version", lambda name: None if name in ("pyspark", "tensorflow", "tensorflow-cpu") else real(name)
    )
    report = doctor(deep=True)
    assert report.healthy
    assert (check(report, "pyspark").status, check(report, "tensorflow").status) == ("warn", "warn")


def test_lines_are_aligned_and_carry_the_remedy() -> None:
    report = DoctorReport((Check("a", "ok", "1"), Check("longer", "warn", "2", "do this")))
    assert lines(report) == ["ok    a       1", "warn  longer  2", "              do this"]


def test_report_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        doctor().checks[0].name = "x"  # type: ignore[misc]


@pytest.fixture
def cgroups(tmp_path: Path) -> tuple[Path, Path]:
    """Control groups of our own making: a group of ours within one of 1.5 cores and 2 GB."""
    root, own = tmp_path / "cgroup", tmp_path / "self"
    (root / "outer" / "inner").mkdir(parents=True)
    (root / "outer" / "cpu.max").write_text("150000 100000\n")
    (root / "outer" / "memory.max").write_text("2147483648\n")
    (root / "outer" / "inner" / "cpu.max").write_text("max 100000\n")
    (root / "outer" / "inner" / "memory.max").write_text("max\n")
    own.write_text("0::/outer/inner\n")
    return root, own


def test_limits_of_the_groups_around_us_hold(cgroups: tuple[Path, Path]) -> None:
    assert cgroup_cores(*cgroups) == 1.5
    assert cgroup_memory_bytes(*cgroups) == 2 << 30


def test_no_control_groups_no_limits(tmp_path: Path) -> None:
    assert cgroup_cores(tmp_path / "none", tmp_path / "self") is None
    assert cgroup_memory_bytes(tmp_path / "none", tmp_path / "self") is None


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (module._cores(4, 1.5), Check("cores", "warn", "4, limited to 1.5", "this container gets the time of 1.5 cores: use --workers 1")),
        (module._cores(2, 8.0).status, "ok"),
        (module._memory(8 << 30, 512 << 20).status, "warn"),
        (module._memory(8 << 30, None), Check("memory", "ok", "8.6 GB free")),
        (module._open_files(256), Check("open files", "warn", "256", "raise the limit with: ulimit -n 1024")),
        (module._open_files(-1), Check("open files", "ok", "unlimited")),
    ],
)  # fmt: skip
def test_judgements(got: object, expected: object) -> None:
    assert got == expected


@pytest.mark.spark
def test_a_spark_job_is_tried(spark: object) -> None:
    assert module._spark_job().status == "ok"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_tensorflow_is_imported() -> None:
    needed("tensorflow")
    assert module._tensorflow_import("2").value.startswith("2, imported in ")


@pytest.mark.tensorflow
def test_a_broken_tensorflow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libnope.so: cannot open')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    broken = module._tensorflow_import("2.21")
    assert (broken.status, broken.value) == ("fail", "2.21, cannot be imported: ImportError: libnope.so: cannot open")


def test_whether_the_start_of_spark_is_prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    java = Java(tmp_path, "17.0.15", "PATH")
    for name in list(os.environ):
        if what_configures({name: ""}) == name:
            monkeypatch.delenv(name)
    missing = module._spark_start(java, deep=False)
    assert (missing.status, missing.value) == ("warn", "not prepared")
    assert "shardmill doctor --deep" in missing.remedy
    folder = prepared_folder(java)
    folder.mkdir(parents=True)
    (folder / "command.json").write_text('["java"]')
    (folder / "java.jsa").touch()
    (folder / "spark.jsa").touch()
    assert module._spark_start(java, deep=False).value == f"prepared, 8 B in {folder}"
    monkeypatch.setenv("SPARK_CONF_DIR", "conf")
    assert module._spark_start(java, deep=True).value == "by its own scripts, since SPARK_CONF_DIR configures it"
