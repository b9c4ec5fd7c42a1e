"""Every file of the tests that a script, the configuration or a README names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMING = [
    *(ROOT / name for name in ("README.md", "pyproject.toml", ".ci/run", ".github/workflows/ci.yml")),
    *sorted((ROOT / "tests").glob("*/*.sh")),
    ROOT / "tests" / "README.md",
]


@pytest.mark.parametrize("file", NAMING, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_named_files_exist(file: Path) -> None:
    if not file.exists():
        pytest.skip(f"{file} is not in this copy of the project, as in an sdist")
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"\btests/[\w./*+-]*[\w*]", text)
    if file.parent.name == "tests":
        named += [f"tests/{name}" for name in re.findall(r"`([a-z_]+/[\w*]*\.(?:py|sh))`", text)]
    missing = [name for name in named if not any(ROOT.glob(name.rstrip(".")))]
    assert not missing
