"""Definitions have the names of the glossary; metaphors that once stood for them do not come back."""

import ast
import re
from pathlib import Path

from helpers.compilers import PACKAGE
from helpers.sources import every

# As whole words of a name, that of a module, class, function or C file: `stake_of` and `FileStake` count as well.
GONE = {
    *("stake", "heir", "orphaned", "blueprint", "persist", "insist", "settle", "stays", "places", "questions"),
    *("failures", "told", "adapters", "records", "vocabulary", "snapshots", "awaiting", "immutable", "heads", "seen"),
    *("bed", "beds", "bell", "gate", "nap", "brief", "ordinal", "lines", "seq"),
}
TEXT = {"heads", "lines"}
"""Those that the command line uses for what they mean: of text and tables."""

PYTHON = sorted(PACKAGE.rglob("*.py")) + sorted(PACKAGE.rglob("*.pyi"))
C = sorted(file for file in PACKAGE.rglob("*.[ch]") if "include" not in file.parts)


def words(name: str) -> set[str]:
    return {word.lower() for part in name.split("_") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", part)}


@every(PYTHON)
def test_python_definitions(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    defined = [node.name for node in ast.walk(tree) if isinstance(node, definitions)]
    gone = GONE - TEXT if "cli" in file.parts else GONE
    for name in (file.stem, *defined):
        assert not words(name) & gone, f"{name}: {words(name) & gone}"


@every(C)
def test_c_definitions(file: Path) -> None:
    text = re.sub(r"/\*.*?\*/", " ", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    defined = re.findall(r"^\w[\w \t*]*?\b(\w+)\([^;]*?\)\s*\{", text, re.MULTILINE)
    defined += re.findall(r"^\} (\w+);|^struct (\w+) \{", text, re.MULTILINE) and [
        name for pair in re.findall(r"^\} (\w+);|^struct (\w+) \{", text, re.MULTILINE) for name in pair if name
    ]
    for name in (file.stem, *defined):
        assert not words(name) & GONE, f"{name}: {words(name) & GONE}"
