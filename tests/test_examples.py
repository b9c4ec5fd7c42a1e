"""The examples that need nothing but typedshm run as they are, and print what they promise."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str) -> list[str]:
    """The lines that an example prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_a_writer_is_killed_half_way() -> None:
    one = "  reader: version 1, picture number 1, whole: True"
    assert run("killed_writer.py") == [
        "Version 1 is written.",
        one,
        "Another process is half-way through version 2.",
        one,
        "It was killed there.",
        one,
        "The next writer has written; writers found dead: 1.",
        "  reader: version 2, picture number 2, whole: True",
        "Regions left behind: 0.",
    ]
