"""Programs from Debian's archive, unpacked into a folder of the tests: nothing of the system is changed."""

import fcntl
import functools
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

_OWN_LISTS = ("-o", f"Dir::State::lists={HOME / 'lists'}")
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


def unpacked(package: str, *others: str, dependencies: bool) -> Unpacked:
    """Unpack packages of Debian's, with dependencies that the system lacks; skip the test where that fails."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            pytest.skip(f"{package}: takes Debian's {tool}")
    HOME.mkdir(parents=True, exist_ok=True)
    folder = HOME / package
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of other runs at the same time; closing gives it back
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _unpack((package, *others), folder, dependencies)
    return Unpacked(folder / "files", (folder / "complete").read_text())


def _unpack(packages: tuple[str, ...], folder: Path, dependencies: bool) -> None:
    archives, files = folder / "archives", folder / "files"
    (archives / "partial").mkdir(parents=True)
    if dependencies:
        wanted = ("-y", "--no-install-recommends", "--reinstall", "--download-only", "install", *packages)
    else:
        wanted = ("download", *packages)
    options = ("-q", "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}")
    said = _apt(archives, *options, *wanted)
    # perhaps the system's lists are old or missing; ours are the tests' own, as only root may renew the system's
    if said and (not _renew() or _apt(archives, *options, *_OWN_LISTS, *wanted)):
        pytest.skip(f"{packages[0]}: Debian's archive cannot be had: {said}")
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", archive, files], check=True, timeout=_PATIENCE)
    _turn_links(files)
    (own,) = archives.glob(f"{packages[0]}_*.deb")
    version = subprocess.run(
        ["dpkg-deb", "-f", own, "Version"], check=True, timeout=_PATIENCE, capture_output=True, text=True
    ).stdout.strip()
    shutil.rmtree(archives)
    (folder / "complete").write_text(version)


def _turn_links(files: Path) -> None:
    """Have absolute links lead to what was unpacked, not to the system's."""
    for folder, folders, names in os.walk(files):
        for link in (Path(folder, name) for name in (*folders, *names)):
            target = files / os.readlink(link).lstrip("/") if link.is_symlink() else None
            if target is not None and os.readlink(link).startswith("/") and target.exists():
                link.unlink()
                link.symlink_to(target)


@functools.cache
def _renew() -> bool:
    """Fetch Debian's lists anew, once for all packages."""
    lists = HOME / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    return (
        _apt(lists, "-q", "-o", "Debug::NoLocking=1", "-o", "APT::Update::Error-Mode=any", *_OWN_LISTS, "update") == ""
    )


def _apt(folder: Path, *arguments: str) -> str:
    """Call apt-get in a folder; returns its complaint, empty if there is none."""
    try:
        done = subprocess.run(
            ["apt-get", *arguments], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer for {_PATIENCE} s"
    if done.returncode == 0:
        return ""
    errors = re.findall(r"^E: .*", done.stderr, re.MULTILINE)
    return (errors or [f"apt-get ended with {done.returncode}"])[0]
