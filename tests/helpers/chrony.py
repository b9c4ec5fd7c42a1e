"""chronyd, fed by a SHM reference clock alone, and asked over a socket of its own; it changes no clock."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.debian import Unpacked
from helpers.peers import PATIENCE


class Chrony:
    """A running chronyd."""

    def __init__(self, package: Unpacked, folder: Path) -> None:
        self._package = package
        self._socket = folder / "chronyd.sock"

    def source(self) -> tuple[str, float] | None:
        """The state of its only source ("*" once it is selected), and what the last sample said our clock is off by."""
        done = subprocess.run(
            [self._package.file("usr/bin/chronyc"), "-c", "-h", self._socket, "sources"],
            env=self._package.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            return None  # it does not listen yet
        # mode, state, name, stratum, poll, reach, last reception, adjusted and measured offset, error
        (line,) = done.stdout.splitlines()
        fields = line.split(",")
        return fields[1], float(fields[8])


@contextmanager
def chronyd(package: Unpacked, folder: Path, unit: int) -> Iterator[Chrony]:
    """Run chronyd with an NTP SHM unit as its clock; the folder, root's, takes its files."""
    configuration = folder / "chrony.conf"
    configuration.write_text(
        f"refclock SHM {unit}:perm=0666 refid SHMX poll -1 dpoll -3 precision 1e-6\n"
        f"port 0\ncmdport 0\nbindcmdaddress {folder}/chronyd.sock\npidfile {folder}/chronyd.pid\n"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            # -x: no clock is changed; -d: in the foreground
            [package.file("usr/sbin/chronyd"), "-x", "-d", "-u", "root", "-f", configuration],
            env=package.environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield Chrony(package, folder)
        assert process.poll() is None, (folder / "log").read_text()
    except AssertionError as error:
        raise AssertionError(f"{error}\nchronyd said:\n{(folder / 'log').read_text()}") from error
    finally:
        process.terminate()
        process.wait(PATIENCE)
