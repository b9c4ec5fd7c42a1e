"""The benchmarks run, and their README tells what they measure."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers import marks
from helpers.peers import PATIENCE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "benchmarks"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
KEYS = {"name", "peer", "ours", "theirs", "unit", "ratio", "bar", "met"}
slow_to_start = marks.not_on_windows("each of the comparison's processes takes two seconds to start")


def published() -> str:
    """Return the README's part between the marks."""
    return README.partition("<!-- peers: ")[2].partition("<!-- end of peers -->")[0]


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python among the benchmarks."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=4 * PATIENCE,
        check=False,
    )


def measure(program: str, *arguments: str, to: Path) -> list[dict[str, Any]]:
    """Run a benchmark shortly, and return its rows."""
    result = run(program, "--quick", "--json", str(to), *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    rows: list[dict[str, Any]] = json.loads(to.read_text(encoding="utf-8"))
    return rows


def compare(*works: str, to: Path) -> list[dict[str, Any]]:
    """Compare some works, and check what is true of all rows."""
    rows = measure("peers.py", "--rounds", "1", "--only", *works, to=to)
    for row in rows:
        assert row.keys() >= KEYS
        assert row["met"] == (None if row["bar"] is None else row["ratio"] <= row["bar"])
        assert not row["ours_torn"]
    return rows


# ---- beside other libraries ----


@slow_to_start
def test_the_smallest_part_runs_with_whatever_is_installed(tmp_path: Path) -> None:
    rows = compare("records", to=tmp_path / "rows.json")
    assert {row["peer"] for row in rows} >= {"SharedMemory + Lock", "Value(Structure)"}
    for row in rows:
        assert row["ratio"] == row["ours"] / row["theirs"]
        assert f"| {row['name']}, {row['unit']} |" in published()


@slow_to_start
def test_the_journey_has_a_bar_beside_every_peer_and_is_the_sum_of_its_halves(tmp_path: Path) -> None:
    rows = compare("journey", to=tmp_path / "rows.json")
    whole, *halves = dict.fromkeys(row["name"] for row in rows)
    costs = {(row["name"], row["peer"]): (row["ours"], row["theirs"]) for row in rows}
    peers = {row["peer"] for row in rows}
    assert peers >= {"SharedMemory + Lock, numpy", "Value(Structure)"}
    for peer in peers:
        for side in (0, 1):
            parts = [costs[half, peer][side] for half in halves]
            assert abs(costs[whole, peer][side] - sum(parts)) < 1e-6
    assert {row["bar"] for row in rows if row["name"] == whole} == {1 / 3}


@slow_to_start
def test_each_kind_of_field_is_got_and_set_beside_ctypes_numpy_and_dataclasses(tmp_path: Path) -> None:
    rows = compare("fields", to=tmp_path / "rows.json")
    named: dict[str, set[str]] = {}
    for row in rows:
        named.setdefault(row["name"], set()).add(row["peer"])
    for kind in ("f64", "i32", "bool", "enum", "flags", "utf8", "bytes", "datetime", "datetime64", "nested Struct"):
        for verb in ("get", "set"):
            assert named[f"{verb} {kind}"] >= {"ctypes", "numpy", "dataclass"}
    barred = {(row["name"], row["peer"]): row["bar"] for row in rows if row["bar"] is not None}
    assert barred["get f64", "ctypes"] == 1.0
    assert barred["set f64", "ctypes"] == 0.9
    assert barred["get an array of 7, as a view", "np.ndarray(shape, dtype, buffer, offset)"] == 0.5
    assert barred["set an array of 7 from an ndarray", "dst[:] = src"] == 0.7
    assert barred["set an array of 7 from a tuple", "dst[:] = tuple"] == 0.5


@slow_to_start
def test_whole_values_have_bars_where_no_arrays_are_in_them(tmp_path: Path) -> None:
    rows = compare("objects", to=tmp_path / "rows.json")
    barred = {row["name"]: (row["peer"], row["bar"]) for row in rows if row["bar"] is not None}
    flat = "a record of 10 kinds"
    assert barred == {
        f"construct {flat}": ("ctypes", 3.0),
        f"construct {flat} and 2 arrays": ("ctypes", 3.0),
        f"compare {flat}": ("dataclass", 2.0),
        f"asdict {flat}": ("dataclass", 2.0),
        f"repr {flat}": ("dataclass", 2.0),
    }


@slow_to_start
def test_tables_have_bars_beside_regions_numpy_and_blackboards(tmp_path: Path) -> None:
    rows = compare("tables", to=tmp_path / "rows.json")
    barred = {(row["name"], row["peer"]): row["bar"] for row in rows if row["bar"] is not None}
    attach = next(name for name, _ in barred if name.startswith("attach"))
    batch, append = "read 256 random rows of 560 bytes", "append a row of 560 bytes"
    for blackboard in ("iceoryx2 blackboard", "kickmsg blackboard"):
        for verb in ("read", "write"):
            bar = barred.pop((f"{verb} a record of 1,000 keys", blackboard), None)  # if it is installed
            assert bar in (None, 1 / 4 if blackboard.startswith("iceoryx2") else 0.8)
    assert barred == {
        ("write a row", "a region"): 1.3,
        (batch, "a[idx]"): 0.5,
        (f"{batch} into an array", "np.take(a, idx, out=)"): 1.5,
        (f"{append}, 4 writers and a sampler", "SharedMemory + NumPy"): 1 / 2,
        (f"{append}, each of 4 writers", "alone"): 1 / 0.7,
        (attach, "a region of the same schema"): 2.0,
    }
    counted = next(row for row in rows if row["peer"] == "SharedMemory + NumPy")
    assert counted["ours_torn"] == 0
    assert counted["theirs_torn"] is not None


@slow_to_start
def test_a_lossless_stream_has_bars_beside_pipes_queues_and_channels(tmp_path: Path) -> None:
    rows = compare("streams", to=tmp_path / "rows.json")
    stream = "stream records of 80 bytes to one reader, each"
    barred = {(row["name"], row["peer"]): row["bar"] for row in rows}
    for channel in ("kickmsg stream", "momentumx, sync", "cloudtoid-interprocess"):
        assert barred.pop((stream, channel), None) in (None, 1.0)  # if it is installed
    assert barred == {
        (stream, "Pipe"): 1 / 3,
        (stream, "Queue"): 1 / 5,
        ("write to a lossless region that nobody follows", "to a region that loses"): 1.1,
    }
    assert not any(row["theirs_torn"] for row in rows)


@slow_to_start
def test_many_slots_have_bars_beside_few(tmp_path: Path) -> None:
    rows = compare("scaling", to=tmp_path / "rows.json")
    barred = {row["name"]: row["bar"] for row in rows if row["peer"] == "with 4 slots"}
    assert barred == {
        "step of follow(every=True) with 65,536 slots": 1.2,
        "borrow with 65,536 slots": 1.2,
        "attach with 65,536 slots": 1.3,
    }


# ---- where each nanosecond goes ----


@marks.compiler
@marks.not_on_windows("the floors are compiled as POSIX systems do so")
def test_the_table_of_floors_sums_up_what_a_verb_cannot_do_without(tmp_path: Path) -> None:
    lines = {line["name"]: line for line in measure("core.py", "--floors", to=tmp_path / "lines.json")}
    floors = {name: line["ns"] for name, line in lines.items() if not line["floors"]}
    assert floors.keys() >= {"an empty METH_FASTCALL", "an empty C getset", "one CAS", "one fence", "clock_gettime"}
    assert all(ns > 0 for ns in floors.values())
    assert lines.keys() >= {"read()", "write()", "get f64", "set f64", "get an array of 7, as a view"}
    for name in lines.keys() - floors.keys():
        line = lines[name]
        least = sum(count * floors[floor] for floor, count in line["floors"].items())
        assert abs(line["floor_ns"] - least) < 1e-6
        assert abs(line["floor_ns"] + line["rest_ns"] - line["ns"]) < 1e-6


@marks.not_on_windows("the floors are compiled as POSIX systems do so")
def test_without_a_compiler_the_floors_say_so_in_one_line() -> None:
    result = run("core.py", "--floors", CC="no-such-compiler")
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "C compiler" in line
    assert "'no-such-compiler'" in line


# ---- recordings ----


def test_where_the_libraries_of_recordings_are_missing_their_benchmark_says_so_and_ends_well() -> None:
    program = "import sys; sys.modules['mcap'] = sys.modules['foxglove'] = None; import recording"
    result = run("-c", program)
    assert result.returncode == 0
    assert "left out" in result.stdout
    assert "pip install" in result.stdout


# ---- what is published ----


def test_the_readme_has_the_rows_of_the_last_full_round() -> None:
    rows = json.loads((FOLDER / "peers.json").read_text(encoding="utf-8"))
    lines = {re.split(r"\s*\|\s*", line)[1] for line in published().splitlines() if line.startswith("| ")}
    names = {row["name"] for row in rows if row["section"] not in ("growth", "deaths")}
    assert names
    for row in rows:
        if row["name"] in names:
            assert f"{row['name']}, {row['unit']}" in lines
        if row["section"] == "deaths":
            assert row["peer"] in lines


def test_the_plots_of_the_readme_are_there() -> None:
    linked = re.findall(r"\]\(([^)]+)\)", published())
    assert "peers.svg" in linked
    for path in linked:
        assert (FOLDER / path).is_file()


PUBLISHING = """
import report, rows
from measurement import Measurement
from rounds import Cost

def measured(section, name, costs, bars={}, growth=""):
    return Measurement(section, name, "ns", {label: Cost(cost) for label, cost in costs.items()}, bars, growth, 1)

all = [
    measured("journey", "journey", {"typedshm": 1, "by ctypes": 5, "by struct": 4}, {"by ctypes": 0.1, "by struct": 1}),
    measured("fields", "get f64", {"typedshm": 3, "ctypes": 2, "a limit": 1}),
    measured("growth", "read 4", {"typedshm": 3, "lock": 4}, {"lock": 1}, "bytes"),
    measured("growth", "read 8", {"typedshm": 2, "lock": 4}, {"lock": 1}, "bytes"),
    measured("growth", "read 16", {"typedshm": 1, "copy": 1}, {"copy": 1}, "bytes"),
]
lines = [row for each in all for row in rows.of_measurement(each)]
families = {"typedshm": "typedshm", "by ctypes": "kickmsg", "by struct": "kickmsg", "lock": "multiprocessing"}
print(report.markdown(all, [], lines, ["Python"], families.get))
print("=====")
print(report.summary(lines, families.get))
"""


def test_the_readme_begins_with_the_journey_and_has_fields_in_a_table_of_their_own() -> None:
    result = run("-c", PUBLISHING)
    assert result.returncode == 0, result.stderr
    guide, _, front_page = result.stdout.partition("=====")
    tables = [part.splitlines() for part in guide.split("\n\n") if part.startswith("|")]
    bars, peers, objects = tables
    assert bars[2:4] == [
        "| journey | by ctypes | 1 ns | 5 ns | 0.200 | 0.100 | **no** |",
        "| journey | by struct | 1 ns | 4 ns | 0.250 | 1.000 | yes |",
    ]
    curve = [line.split(" | ")[0:2] for line in bars[4:]]
    assert curve == [["| read 4 (the worst of its curve)", "lock"], ["| read 16 (the worst of its curve)", "copy"]]
    assert peers == ["|  | typedshm | kickmsg |", "| --- | --: | --: |", "| journey, ns | **1** | 4 |"]
    assert objects == ["|  | typedshm | ctypes |", "| --- | --: | --: |", "| get f64, ns | 3 | **2** |"]
    assert "4 of 5 bars are met; missed: journey (0.200 of by ctypes, bar 0.100)." in front_page
