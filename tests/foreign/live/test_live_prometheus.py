"""The files of prometheus_client's processes, summed as its own collector does."""

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

from helpers import marks, prometheus, pypi
from helpers.programs import report
from typedshm import RawSection

pytestmark = marks.live

SIZE = 1 << 20  # of a file of zeros


def values(file: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What is in a file: i32 used, padding; then entries of i32 length, a key of JSON, spaces, f64 value, f64 time."""
    found = {}
    with RawSection(file) as section:
        view = section.view
        (used,) = struct.unpack_from("<i", view)
        at = 8
        while at < used:
            (length,) = struct.unpack_from("<i", view, at)
            _, name, labels, _ = json.loads(bytes(view[at + 4 : at + 4 + length]))
            at += 4 + length + 8 - (4 + length) % 8  # one to eight spaces
            found[name, tuple(sorted(labels.items()))], _ = struct.unpack_from("<dd", view, at)
            at += 16
    return found


def summed(folder: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], Any]:
    total: Counter[Any] = Counter()
    for file in folder.glob("*.db"):
        total.update(values(file))
    return dict(total)


def test_the_files_of_two_processes_add_up_as_in_their_own_collector(tmp_path: Path) -> None:
    client = pypi.installed("prometheus-client")
    with prometheus.worker(client, tmp_path) as one, prometheus.worker(client, tmp_path) as other:
        one.count("/", 3)
        other.count("/", 0.5)
        other.count("/é\n", 2)
        assert values(one.file) == {("requests_total", (("path", "/"),)): 3}
        assert summed(tmp_path) == prometheus.collected(client, tmp_path)
        one.count("/", 1)
        other.kill()  # whose file stays, and counts
        (tmp_path / "counter_1.db").write_bytes(bytes(SIZE))  # as of a process killed before it wrote
        assert values(tmp_path / "counter_1.db") == {}
        assert summed(tmp_path) == prometheus.collected(client, tmp_path)
    report("prometheus-client", client.version, "two processes' counters add up as in its own collector")
