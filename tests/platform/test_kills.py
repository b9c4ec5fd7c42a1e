"""What kills.py shows to people, it shows here as well."""

import subprocess
import sys
from pathlib import Path

KILLS = Path(__file__).with_name("kills.py")


def test_processes_killed_at_the_worst_moments_cost_what_was_promised() -> None:
    shown = subprocess.run([sys.executable, KILLS], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.splitlines()[-1] == "as promised"
