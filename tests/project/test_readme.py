"""Every code block of the README does what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import typedshm
from helpers.peers import PATIENCE, interrupt, interruptible

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [text.strip() for language, text in BLOCKS if language == "sh"]


def test_every_block_has_a_language_that_is_run_here() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    assert len(PYTHON) >= 4
    assert len(SHELL) == 2


def test_the_first_example_in_two_terminals() -> None:
    car = interruptible(PYTHON[0])
    try:
        typedshm.attach("car", timeout=PATIENCE).close()  # a busy machine takes its time until the first one has begun
        seen = subprocess.run([sys.executable, "-c", PYTHON[1]], capture_output=True, text=True, timeout=60)
        third = subprocess.run([sys.executable, "-c", PYTHON[1]], capture_output=True, text=True, timeout=60)
    finally:
        interrupt(car)  # which ends the first terminal's program, and with it the region
        _, complaint = car.communicate(timeout=60)
    for result in (seen, third):
        assert result.returncode == 0, result.stderr
        assert re.fullmatch(r"(Ada \d+ 4[0-4]\.0 \[[\d. ]+\]\n){5}", result.stdout), result.stdout
    ticks = [int(line.split()[1]) for line in seen.stdout.splitlines()]
    assert ticks == sorted(set(ticks))
    assert complaint.strip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("text", PYTHON[2:], ids=range(2, len(PYTHON)))
def test_example(text: str) -> None:
    result = subprocess.run([sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_the_two_commands() -> None:
    one, two = SHELL
    for command, extra in ((one, "examples"), (two, "test")):
        make, install, run = command.split(" && ")
        assert make == "python3 -m venv .venv"
        assert install == f".venv/bin/pip install -q '.[{extra}]'"
        assert run.startswith(".venv/bin/python ")
    # what the first ends with is run, with its options, by test_camera.py; the second is this very run
    assert (ROOT / one.split()[-1]).is_file()
    assert two.endswith("-m pytest -q")


def test_continuous_integration_runs_both_commands_to_the_letter() -> None:
    assert "bash tests/platform/fresh.sh\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    script = (ROOT / "tests" / "platform" / "fresh.sh").read_text(encoding="utf-8")
    assert re.search(r"sed -n \"/<!-- command \$which -->/,/.*?/p\" .*README\.md\" \| grep '\^python3'", script)
    assert "set -- one two" in script
    for which, command in zip(("one", "two"), SHELL, strict=True):
        assert README.count(f"<!-- command {which} -->") == 1
        after = README.partition(f"<!-- command {which} -->")[2]
        assert re.search(r"^python3.*$", after, re.MULTILINE).group() == command  # type: ignore[union-attr]
