"""Packages of PyPI, installed into a folder of the tests and imported by other processes alone."""

import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers import debian
from helpers.peers import PATIENCE

_PATIENCE = 120  # for PyPI


@dataclass(frozen=True)
class Installed:
    """A package and what it depends on, in a folder."""

    folder: Path
    version: str

    def start(self, script: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a script that imports it, and speaks by its standard input and output."""
        return subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(self.folder), **environment},
            text=True,
        )

    def run(self, script: str, *arguments: str, **environment: str) -> str:
        """Run a script that imports it; returns what it prints."""
        with self.start(script, *arguments, **environment) as process:
            try:
                said, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert process.returncode == 0
        return said


def installed(package: str) -> Installed:
    """Install the newest of a package, once for each version of Python; skip the test where that cannot be done."""
    folder = debian.HOME / f"{package}-{sys.implementation.cache_tag}"
    debian.HOME.mkdir(parents=True, exist_ok=True)
    with (debian.HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of other runs at the same time; closing gives it back
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1"]
            try:
                done = subprocess.run(
                    [*command, "--target", folder, package],
                    capture_output=True,
                    text=True,
                    timeout=_PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                pytest.skip(f"{package}: no answer of PyPI for {_PATIENCE} s")
            if done.returncode:
                pytest.skip(f"{package}: PyPI's cannot be had: {done.stderr.strip().splitlines()[-1]}")
            (folder / "complete").touch()
    (found,) = importlib.metadata.distributions(name=package, path=[str(folder)])
    return Installed(folder, found.version)
