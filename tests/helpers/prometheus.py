"""Processes that count with prometheus_client's files, and its own collector."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.peers import PATIENCE
from helpers.pypi import Installed

_COUNTING = """
import json, sys
from prometheus_client import Counter
requests = Counter("requests", "How many.", ["path"])
print("ready", flush=True)
for line in sys.stdin:
    path, more = json.loads(line)
    requests.labels(path).inc(more)
    print("done", flush=True)
"""

_COLLECTING = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Worker:
    """A process that counts."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.file = folder / f"counter_{process.pid}.db"
        self._expect("ready")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word

    def count(self, path: str, more: float) -> None:
        """Have it count requests of a path."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([path, more]) + "\n")
        self._process.stdin.flush()
        self._expect("done")

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait(PATIENCE)


@contextmanager
def worker(package: Installed, folder: Path) -> Iterator[Worker]:
    """Start a process that counts."""
    with package.start(_COUNTING, **{_FOLDER: str(folder)}) as process:
        try:
            yield Worker(process, folder)
        finally:
            process.kill()


def collected(package: Installed, folder: Path) -> dict[str, float]:
    """The sums of all processes, as its own collector makes them for the server."""
    lines = package.run(_COLLECTING, **{_FOLDER: str(folder)}).splitlines()
    samples = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}
