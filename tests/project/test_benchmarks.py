"""The comparison with the peers runs, and the benchmarks' README tells what it measures."""

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


def published() -> str:
    """Return the README's part between the marks."""
    return README.partition("<!-- peers: ")[2].partition("<!-- end of peers -->")[0]


def compare(*arguments: str, to: Path) -> list[dict[str, Any]]:
    """Run the comparison's command."""
    command = [sys.executable, str(FOLDER / "peers.py"), "--quick", "--rounds", "1", "--json", str(to), *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    rows: list[dict[str, Any]] = json.loads(to.read_text(encoding="utf-8"))
    return rows


@marks.not_on_windows("each of the comparison's processes takes two seconds to start")
def test_the_smallest_part_runs_with_whatever_is_installed(tmp_path: Path) -> None:
    rows = compare("--only", "records", to=tmp_path / "rows.json")
    assert {row["peer"] for row in rows} >= {"SharedMemory + Lock", "Value(Structure)"}
    for row in rows:
        assert row.keys() >= KEYS
        assert row["ratio"] == row["ours"] / row["theirs"]
        assert row["met"] == (None if row["bar"] is None else row["ratio"] <= row["bar"])
        assert not row["ours_torn"]
        assert f"| {row['name']}, {row['unit']} |" in published()


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
