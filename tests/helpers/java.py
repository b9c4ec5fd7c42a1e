"""A JVM that does what it is told, and jstat, the JDK's own reader of what JVMs publish."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers import debian
from helpers.peers import PATIENCE

_PROGRAM = """
public class Told {
    public static void main(String[] arguments) throws Exception {
        System.out.println("ready");
        for (int each; (each = System.in.read()) != -1;) {
            if (each == 'g') {
                System.gc();
                System.out.println("done");
            }
        }
    }
}
"""


def folder() -> Path:
    """Where JVMs of this user publish their counters: on Linux in /tmp, whatever TMPDIR says."""
    return Path(f"/tmp/hsperfdata_{pwd.getpwuid(os.geteuid()).pw_name}")


class Jvm:
    """A running JVM with the serial collector."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid
        self.file = folder() / str(process.pid)
        """Where it publishes its counters."""
        self._expect("ready")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word

    def collect_garbage(self) -> None:
        """Have it collect all garbage once."""
        assert self._process.stdin is not None
        self._process.stdin.write("g")
        self._process.stdin.flush()
        self._expect("done")

    def end(self) -> None:
        """Have it return from main()."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait(PATIENCE)


class Jdk:
    """The java, javac and jstat of one folder."""

    def __init__(self, folder: Path, classes: Path) -> None:
        self._folder = folder
        self._classes = classes
        said = self._run("java", "-version").stderr
        version = re.search(r'version "([^"]+)"', said)
        assert version is not None, said
        self.version = version[1]
        (classes / "Told.java").write_text(_PROGRAM)
        self._run("javac", "-J-XX:TieredStopAtLevel=1", "-proc:none", "-d", str(classes), str(classes / "Told.java"))

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self._folder / program, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=True
        )

    @contextmanager
    def started(self) -> Iterator[Jvm]:
        """Start a JVM."""
        process = subprocess.Popen(
            [self._folder / "java", "-XX:+UseSerialGC", "-Xmx32m", "-cp", str(self._classes), "Told"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                jvm = Jvm(process)
                yield jvm
                jvm.file.unlink(missing_ok=True)  # which a JVM that is killed leaves
            finally:
                process.kill()

    def jstat(self, file: Path) -> dict[str, int | str]:
        """All counters in a file of a JVM's, as jstat reads them."""
        # The JVM of jstat itself has a file as well, and needs none.
        said = self._run(
            "jstat", "-J-XX:-UsePerfData", "-J-Djstat.showUnsupported=true", "-snap", file.absolute().as_uri()
        )
        found: dict[str, int | str] = {}
        for line in said.stdout.splitlines():
            name, _, value = line.partition("=")
            found[name] = value[1:-1] if value.startswith('"') else int(value)
        return found


def installed_folder() -> Path | None:
    """Where the system has a whole JDK, if it has one."""
    program = shutil.which("java")
    folder = Path(program).resolve().parent if program else None
    if folder is None or not all((folder / name).exists() for name in ("javac", "jstat")):
        return None
    return folder


def installed(classes: Path) -> Jdk:
    """The JDK that the system has; skips the test where it has none. The folder takes the program's class."""
    folder = installed_folder()
    if folder is None:
        pytest.skip("no JDK (java, javac and jstat) is installed")
    return Jdk(folder, classes)


def unpacked(classes: Path) -> Jdk:
    """Debian's JDK, in a folder of the tests."""
    package = debian.unpacked("openjdk-17-jdk-headless", "openjdk-17-jre-headless", dependencies=True)
    (folder,) = package.folder.glob("usr/lib/jvm/java-17-openjdk-*/bin")
    return Jdk(folder, classes)
