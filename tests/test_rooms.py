"""The rooms of the package: who may import whom, and that no file outgrows its room."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "typedshm"

# Each room and the rooms below it that it may use. What is not here may not be imported.
ROOMS: dict[str, set[str]] = {
    "_native": set(),
    "adapters": {
        "_native",
        "arrays",
        "document",
        "errors",
        "hooks",
        "layout",
        "loading",
        "models",
        "records",
        "struct",
        "validation",
        "views",
    },
    "annotations": {"errors"},
    "arrays": {"errors", "immutable", "kinds", "layout", "struct"},
    "awaiting": {"_native", "errors", "tasks", "waitset"},
    "blueprint": {"_native", "errors", "place"},
    "catalog": {"errors", "memory", "opening", "place", "region"},
    "conversion": {"_native", "errors", "kinds", "layout", "refusal"},
    "ctypes_fields": {"kinds", "layout", "placement"},
    "document": {"document_model", "errors", "layout"},
    "document_model": {"errors", "fields", "kinds", "layout"},
    "errors": set(),
    "failures": {"errors"},
    "fields": {"errors", "immutable", "kinds", "vocabulary"},
    "follow": {"_native", "awaiting", "errors"},
    "foreign": {"_native", "errors"},
    "header": set(),
    "hooks": set(),
    "immutable": set(),
    "kinds": {"immutable"},
    "layout": {"errors", "fields", "immutable", "kinds"},
    "loading": {"document", "errors", "layout", "struct"},
    "memory": {"blueprint", "errors", "memory_posix", "memory_windows", "paging", "place", "retry", "stake"},
    "memory_posix": {"_native", "blueprint", "errors", "paging", "place", "stake", "stake_posix"},
    "memory_windows": {
        "_native",
        "blueprint",
        "errors",
        "paging",
        "place",
        "retry",
        "security_windows",
        "stake_windows",
    },
    "models": {"errors", "kinds", "layout", "struct", "vocabulary"},
    "mutex": {"_native", "blueprint", "errors", "memory", "place", "stake"},
    "opening": {"adapters", "arrays", "blueprint", "errors", "memory", "paging", "place", "region", "stake"},
    "paging": {"_native", "errors", "immutable", "place"},
    "place": {"_native", "errors", "immutable"},
    "placement": {"errors", "fields", "kinds", "layout"},
    "records": {"annotations", "errors", "immutable", "models", "struct", "vocabulary"},
    "refusal": {"_native", "errors", "kinds", "layout"},
    "region": {"_native", "adapters", "errors", "failures", "follow", "layout", "place", "stake", "waitset"},
    "retry": {"errors", "place"},
    "security_windows": {"_native", "errors", "place"},
    "snapshots": {"struct"},
    "stake": {"_native", "errors", "paging", "place"},
    "stake_posix": {"_native", "errors", "paging", "place", "stake"},
    "stake_windows": {"_native", "paging", "place", "stake"},
    "strategies": {"kinds", "layout", "struct", "vocabulary"},
    "struct": {
        "_native",
        "annotations",
        "conversion",
        "ctypes_fields",
        "errors",
        "fields",
        "hooks",
        "immutable",
        "kinds",
        "layout",
        "placement",
        "refusal",
    },
    "tasks": {"_native"},
    "testing": {"memory", "place"},
    "validation": {"errors", "kinds", "layout", "models", "struct"},
    "views": {"_native", "layout", "struct"},
    "vocabulary": {"errors", "hooks", "immutable", "kinds"},
    "waitset": {"_native"},
}

# The rooms that need pydantic, which takes longer to import than all the rest, and who imports them, when asked to.
HEAVY = {"document_model", "models", "validation"}
DEFERRED = {
    ("document", "document_model"),
    ("records", "models"),
    ("adapters", "models"),
    ("adapters", "validation"),
}

LINES = 500
LONGER = {"typedshm.h": 600}  # the protocol is one file by design


def source_files() -> list[Path]:
    """Python files, stubs and C files of the package."""
    return sorted(file for file in PACKAGE.rglob("*") if file.suffix in (".py", ".pyi", ".c", ".h"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py").removesuffix(".pyi")


def imports(file: Path) -> Iterator[tuple[str, bool, ast.stmt]]:
    """What a file imports, full names, and whether inside of a function."""
    tree = ast.parse(file.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in inside, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}:{node.lineno}: imports are absolute"
            if node.module == "typedshm":
                for name in node.names:
                    yield f"typedshm.{name.name}", id(node) in inside, node
            else:
                yield str(node.module), id(node) in inside, node


def rooms_used(file: Path) -> Iterator[tuple[str, bool, ast.stmt]]:
    for name, deferred, node in imports(file):
        top, _, rest = name.partition(".")
        if top == "typedshm":
            yield rest.partition(".")[0], deferred, node


PYTHON = [file for file in source_files() if file.suffix in (".py", ".pyi")]


def test_the_rooms_are_those_of_the_table() -> None:
    assert {room_of(file) for file in PYTHON} - {"__init__"} == ROOMS.keys()


def test_the_table_has_no_cycle() -> None:
    assert list(graphlib.TopologicalSorter(ROOMS).static_order())


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.name)
def test_imports_lead_downward(file: Path) -> None:
    room = room_of(file)
    allowed = ROOMS.keys() if room == "__init__" else ROOMS[room] | {room}
    for used, _, node in rooms_used(file):
        assert used in allowed, f"{file.name}:{node.lineno}: {room} must not import {used}"


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.name)
def test_imports_inside_of_functions_are_the_listed_ones(file: Path) -> None:
    lines = file.read_text().splitlines()
    listed = {used for room, used in DEFERRED if room == room_of(file)}
    for name, deferred, node in imports(file):
        if deferred:
            assert name.removeprefix("typedshm.") in listed, f"{file.name}:{node.lineno}: move this import to the top"
            assert "pydantic is heavy" in "".join(lines[node.lineno - 2 : node.lineno]), "say why it is here"


def test_pydantic_is_imported_by_heavy_rooms_only() -> None:
    users = {room_of(file) for file in PYTHON for name, _, _ in imports(file) if name.startswith("pydantic")}
    assert users == HEAVY
    for room, used in ((room, used) for room, below in ROOMS.items() for used in below):
        assert used not in HEAVY or room in HEAVY or (room, used) in DEFERRED, (
            f"{room} would load pydantic through {used}"
        )


def test_init_only_re_exports() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    for node in tree.body:
        allowed = isinstance(node, ast.ImportFrom | ast.Assign | ast.Expr)
        assert allowed, f"__init__.py:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("file", source_files(), ids=lambda file: file.name)
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGER.get(file.name, LINES)
