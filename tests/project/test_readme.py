"""Every code block of the guides does what they say, and every link in them leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import typedshm
from helpers.peers import PATIENCE, interrupt, interruptible

ROOT = Path(__file__).parents[2]
GUIDES = sorted(path for pattern in ("", "[!.]*/", "tests/[!._]*/") for path in ROOT.glob(f"{pattern}README.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = BLOCK.findall(README)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [text.strip() for language, text in BLOCKS if language == "sh"]
# the first two of README are programs for two terminals
EXAMPLES = [
    pytest.param(text, id=f"{guide.relative_to(ROOT).as_posix()}-{number}")
    for guide in GUIDES
    for number, (language, text) in enumerate(BLOCK.findall(guide.read_text(encoding="utf-8")))
    if language == "python" and text not in PYTHON[:2]
]


def test_every_block_has_a_language_that_is_run_here() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh"}
    assert len(PYTHON) >= 2
    assert len(EXAMPLES) >= 10
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


@pytest.mark.parametrize("text", EXAMPLES)
def test_example(text: str) -> None:
    for library in ("mcap", "lz4", "zstandard") if "recording" in text else ():
        pytest.importorskip(library, reason="recordings need the extra 'record'")
    result = subprocess.run([sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def anchors(guide: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a guide."""
    text = BLOCK.sub("", guide.read_text(encoding="utf-8"))
    titles = [
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
    ]
    assert len(set(titles)) == len(titles), f"{guide}: two headings have the same name"
    return set(titles)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(guide: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", guide.read_text(encoding="utf-8"))):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = guide.parent / path if path else guide
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


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
