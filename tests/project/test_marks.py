"""What README's command leaves out, it says; and nothing that takes more than README names slips in unmarked."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from helpers import compilers, marks

ROOT = Path(__file__).parents[2]
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]


def test_what_takes_more_is_deselected_by_default_and_every_marker_is_known() -> None:
    options = OPTIONS["addopts"]
    assert options[options.index("-m") + 1] == marks.NO_MORE
    assert "--strict-markers" in options
    assert {line.partition(":")[0] for line in OPTIONS["markers"]} == {"parallel", "live", *marks.TAKES_MORE}


def collected(*arguments: str) -> list[str]:
    """The last lines of a run that only collects."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-2:]


def test_one_line_says_what_was_left_out_and_how_to_run_it() -> None:
    said, closing = collected("tests/layout/test_layout.py", "tests/region/test_lost.py")
    assert said.startswith(
        f"left out: 1 that take {marks.TAKES_MORE['compiler']}, 3 that take {marks.TAKES_MORE['root']};"
    )
    assert "python -m pytest -m ''" in said
    assert "4 deselected" in closing
    assert "left out" not in "".join(collected("tests/layout/test_layout.py", "-m", ""))
    assert "left out" not in "".join(collected("tests/layout/test_layout.py", "-m", "compiler"))


def test_a_test_that_is_not_marked_gets_no_compiler() -> None:
    with pytest.raises(AssertionError, match=r"marks\.compiler"):
        compilers.require("gcc")
    with pytest.raises(AssertionError, match=r"marks\.compiler"):
        compilers.zig("x86_64-linux-gnu")
