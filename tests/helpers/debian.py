"""Programs from Debian's archive, unpacked into a folder of the tests: nothing of the system is changed."""

import fcntl
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

HOME = Path(
    os.environ.get("TYPEDSHM_LIVE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "typedshm-live")
)
"""Where they are kept from one run to the next."""

_PATIENCE = 120  # for Debian's archive
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib")


@dataclass(frozen=True)
class Unpacked:
    """A package and what it depends on, in a folder."""

    folder: Path
    version: str

    def file(self, name: str) -> Path:
        """A file of it; its name begins as in ``usr/lib``."""
        return self.folder / name

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which its programs find the libraries that are unpacked beside them."""
        folders = [str(self.folder / name) for name in _LIBRARIES if (self.folder / name).is_dir()]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}


def unpacked(package: str, *, dependencies: bool) -> Unpacked:
    """Unpack a package of Debian's, with dependencies that the system lacks; skip the test where that fails."""
    for tool in ("apt-get", "dpkg", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"{package}: takes Debian's {tool}")
    HOME.mkdir(parents=True, exist_ok=True)
    folder = HOME / package
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of other runs at the same time; closing gives it back
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _unpack(package, folder, dependencies)
    return Unpacked(folder / "files", (folder / "complete").read_text())


def _unpack(package: str, folder: Path, dependencies: bool) -> None:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    if dependencies:
        wanted = ("-y", "--no-install-recommends", "--reinstall", "--download-only", "install", package)
    else:
        wanted = ("download", package)
    options = ("-q", "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}")
    if (said := _apt(archives, *options, *wanted)) is not None:
        # perhaps the system's lists are old or missing; ours are the tests' own, as only root may renew the system's
        lists = HOME / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options += ("-o", f"Dir::State::lists={lists}")
        if _apt(archives, *options, "update") or (said := _apt(archives, *options, *wanted)) is not None:
            pytest.skip(f"{package}: Debian's archive cannot be had: {said}")
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", archive, folder / "files"], check=True, timeout=_PATIENCE)
    (own,) = archives.glob(f"{package}_*.deb")
    version = subprocess.run(
        ["dpkg-deb", "-f", own, "Version"], check=True, timeout=_PATIENCE, capture_output=True, text=True
    ).stdout.strip()
    shutil.rmtree(archives)
    (folder / "complete").write_text(version)


def _apt(folder: Path, *arguments: str) -> str | None:
    """Call apt-get in a folder; returns its complaint, if there is one."""
    try:
        done = subprocess.run(
            ["apt-get", *arguments], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer for {_PATIENCE} s"
    if done.returncode == 0:
        return None
    errors = re.findall(r"^E: .*", done.stderr, re.MULTILINE)
    return (errors or [f"apt-get ended with {done.returncode}"])[0]
