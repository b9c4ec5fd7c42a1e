"""What type checkers make of a user's code: everything right is accepted, everything wrong is found."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from helpers import marks

FOLDER = Path(__file__).parents[1] / "typing"
FILES = ["user_file.py", "mistakes.py"]

Findings: TypeAlias = dict[tuple[str, int], str]
"""What a checker complains about: words by file and line."""


def mypy(scratch: Path) -> Findings:
    """Run mypy in strict mode."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(scratch), *FILES]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr + done.stdout
    found = re.findall(r"^(\w+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return {(file, int(line)): words for file, line, words in found}


def pyright(scratch: Path) -> Findings:
    """Run pyright; the files ask for its strict mode themselves."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *FILES]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        pytest.skip(f"pyright cannot run here, it needs Node.js: {done.stderr.strip()[-200:]}")
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {(Path(item["file"]).name, item["range"]["start"]["line"] + 1): item["message"] for item in found}


@pytest.mark.parametrize("checker", [mypy, pytest.param(pyright, marks=marks.node)])
def test_checkers_accept_what_is_right_and_find_every_mistake(
    checker: Callable[[Path], Findings], tmp_path: Path
) -> None:
    mistakes = {
        (file, number)
        for file in FILES
        for number, line in enumerate((FOLDER / file).read_text().splitlines(), 1)
        if line.endswith("# mistake")
    }
    assert len(mistakes) > 20
    found = checker(tmp_path)
    assert found.keys() == mistakes, found
