"""The rooms of the package: which module may import which, and that no file outgrows its room.

Run with ``-s`` it prints the order of the rooms and of the modules in them.
"""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import typedshm
from helpers.sources import every

PACKAGE = Path(__file__).parents[2] / "src" / "typedshm"

# Each room with the rooms below it that its modules import: no more may be imported, and no less stands here. Between
# `memory` and the description of values (layout, struct, schema) is a wall: they first meet in `region`.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "arguments": {"errors"},
    "frozen": set(),
    "hooks": set(),
    "html_table": set(),
    "public_names": set(),
    "_native": set(),
    "contract": {"_native"},
    "layout": {"errors", "frozen", "hooks"},
    "struct": {"errors", "frozen", "hooks", "html_table", "_native", "contract", "layout"},
    "schema": {"errors", "frozen", "hooks", "_native", "layout", "struct"},
    "memory": {"errors", "arguments", "frozen", "hooks", "_native", "contract"},
    "export": set(),
    "packaging": set(),
    "current_task": {"_native"},
    "mutex": {"errors", "arguments", "_native", "contract", "memory", "current_task"},
    "region": {
        "errors",
        "arguments",
        "frozen",
        "hooks",
        "html_table",
        "_native",
        "contract",
        "layout",
        "struct",
        "schema",
        "memory",
        "current_task",
        "mutex",
    },
    "table": {
        "errors",
        "arguments",
        "frozen",
        "_native",
        "contract",
        "layout",
        "struct",
        "schema",
        "memory",
        "region",
    },
    "sharing": {
        "errors",
        "arguments",
        "frozen",
        "hooks",
        "_native",
        "contract",
        "layout",
        "schema",
        "memory",
        "region",
        "table",
    },
    "foreign": {
        "errors",
        "arguments",
        "frozen",
        "html_table",
        "_native",
        "contract",
        "layout",
        "struct",
        "schema",
        "memory",
        "mutex",
        "region",
        "sharing",
    },
    "recording": {
        "errors",
        "arguments",
        "frozen",
        "_native",
        "layout",
        "struct",
        "schema",
        "memory",
        "region",
        "foreign",
    },
    "cli": {"recording"},
    "__main__": {"cli"},
    "testing": {"_native", "layout", "struct", "memory", "region", "sharing", "recording"},
}

# The modules of each room in order: each may import those before it.
MODULES: dict[str, tuple[str, ...]] = {
    "layout": (
        "annotations",
        "kinds",
        "markers",
        "dimensions",
        "advice",
        "constraints",
        "declaration",
        "enumeration",
        "parts",
        "checks",
        "identity",
        "layout",
        "comparison",
        "buffer_format",
        "extents",
        "placement",
        "json_checks",
        "document",
        "outline",
        "shipped",
    ),
    "struct": (
        "refusal",
        "times",
        "ctypes_fields",
        "direct",
        "lossless",
        "conversion",
        "codecs",
        "extents",
        "whole",
        "by_value",
        "constructor",
        "enforcement",
        "struct",
        "json_values",
        "functions",
        "loading",
        "pickling",
        "views",
        "struct_array",
    ),
    "schema": (
        "arrays",
        "base",
        "array_values",
        "pydantic_models",
        "instances",
        "classes",
        "bytewise",
        "ctypes_classes",
        "dtypes",
        "pydantic_checks",
        "pydantic_validation",
        "resolve",
        "table_schema",
        "layouts",
        "shareable",
    ),
    "memory": (
        "fork",
        "posix",
        "windows",
        "names",
        "paging",
        "processes",
        "participant",
        "protocol",
        "retry",
        "similar",
        "posix.shortage",
        "windows.security",
        "windows.large_pages",
        "attachment",
        "descriptor",
        "glance",
        "holders",
        "absence",
        "spec",
        "windows.errors",
        "posix.attachment",
        "windows.attachment",
        "posix.files",
        "windows.files",
        "windows.sections",
        "lifecycle",
    ),
    "export": ("include",),
    "packaging": ("hook-typedshm", "hook-typedshm.recording.extra", "pyinstaller"),
    "region": (
        "waitset",
        "loops",
        "worker",
        "subscribing",
        "asynchronous",
        "followers",
        "info",
        "opened",
        "registration",
        "following",
        "history",
        "sending",
        "error_table",
        "region",
    ),
    "table": ("error_table", "selection", "contents", "info", "base", "following", "table"),
    "sharing": (
        "claiming",
        "differences",
        "joining",
        "options",
        "opening",
        "value",
        "catalog",
        "fallbacks",
        "paths",
        "topic",
        "sources",
        "notify",
    ),
    "foreign": (
        "tables",
        "tables.entry",
        "tables.numbers",
        "tables.values",
        "tables.table",
        "tables.hsperfdata",
        "tables.iracing",
        "tables.mmv",
        "tables.prometheus",
        "tables.vpp",
        "tables.registry",
        "hints",
        "names",
        "arrays",
        "posix",
        "windows",
        "section",
        "addresses",
        "descriptor",
        "segment",
        "place",
        "document_words",
        "head",
        "numbers",
        "conditions",
        "parts",
        "objects",
        "locks",
        "events",
        "access",
        "rules",
        "rules.rule",
        "rules.still",
        "rules.counters",
        "rules.parity",
        "rules.busy",
        "rules.generation",
        "rules.newest_buffer",
        "rules.rotating_buffer",
        "rules.mutex",
        "rules.busy_word",
        "rules.reader_count",
        "rules.consumed",
        "rules.registry",
        "sources",
        "document",
        "state",
        "snapshot",
        "flattening",
        "gathering",
        "section_reader",
        "storing",
        "pace",
        "info",
        "following",
        "region",
        "resolving",
        "attaching",
        "section_writer",
        "publisher",
        "lane",
        "bridging",
    ),
    "recording": (
        "errors",
        "batch",
        "encodings",
        "encodings.encoding",
        "encodings.messages",
        "encodings.used",
        "encodings.own",
        "encodings.cdr_plan",
        "encodings.ros2msg",
        "encodings.cdr",
        "encodings.json_items",
        "encodings.json_columns",
        "encodings.json_schema",
        "encodings.json_state",
        "encodings.cdr_stream",
        "encodings.pictures",
        "encodings.compressing",
        "encodings.images",
        "encodings.choosing",
        "extra",
        "checksum",
        "chunk",
        "file",
        "summary",
        "writer",
        "lists",
        "parts",
        "output",
        "sources",
        "sources.source",
        "sources.region",
        "sources.table",
        "sources.named",
        "sources.foreign",
        "sources.opening",
        "status",
        "lane",
        "pace",
        "loop",
        "recorder",
        "starting",
        "parsing",
        "stored_chunk",
        "reader",
        "span",
        "recorded_channel",
        "part",
        "merging",
        "latest",
        "recorded_topic",
        "topics",
        "recorded_value",
        "values",
        "arrays",
        "columns",
        "frames",
        "recording",
        "opening",
        "csv_file",
        "parquet_file",
        "converting",
        "replay",
        "replay.excerpt",
        "replay.timeline",
        "replay.lateness",
        "replay.pace",
        "replay.schedule",
        "replay.player",
        "replay.targets",
        "replay.targets.options",
        "replay.targets.existing",
        "replay.targets.target",
        "replay.targets.region",
        "replay.targets.table",
        "replay.targets.targets",
        "replay.replaying",
    ),
    "cli": (
        "amounts",
        "exits",
        "file_names",
        "screen",
        "terminal",
        "grid",
        "columns",
        "program",
        "targets",
        "holding",
        "values",
        "values.parts",
        "values.pictures",
        "values.scalars",
        "values.arrays",
        "values.conversions",
        "values.terms",
        "values.expressions",
        "values.rows",
        "values.tree",
        "samples",
        "foreign",
        "foreign.naming",
        "foreign.source",
        "foreign.showing",
        "foreign.memories",
        "tables",
        "tables.arguments",
        "tables.naming",
        "tables.row",
        "tables.changes",
        "tables.copying",
        "tables.summary",
        "tables.live",
        "copying",
        "listing",
        "sources",
        "streams",
        "layouts",
        "layouts.schemas",
        "layouts.tiles",
        "layouts.drawing",
        "layouts.ordering",
        "recordings",
        "recordings.arguments",
        "recordings.damage",
        "recordings.warned",
        "recordings.live",
        "recordings.progress",
        "recordings.summary",
        "recordings.topics",
        "recordings.printing",
        "findings",
        "findings.finding",
        "findings.lacks",
        "findings.leftovers",
        "findings.limits",
        "findings.surroundings",
        "findings.users",
        "findings.logout",
        "findings.room",
        "findings.huge_pages",
        "findings.versions",
        "findings.windows",
        "commands",
        "commands.bridge",
        "commands.cat",
        "commands.completion",
        "commands.convert",
        "commands.cp",
        "commands.diff",
        "commands.doctor",
        "commands.echo",
        "commands.head",
        "commands.hz",
        "commands.info",
        "commands.layout",
        "commands.lock",
        "commands.ls",
        "commands.record",
        "commands.replay",
        "commands.restore",
        "commands.rm",
        "commands.save",
        "commands.schema",
        "commands.set",
        "commands.show",
        "commands.wait",
        "commands.watch",
    ),
    "testing": (
        "strategies",
        "isolation",
        "replaying",
        "inspection",
    ),
}

# The rooms that are built from public names only.
ON_TOP = {"cli", "__main__"}
# The rooms that use public names too, besides the rooms of their row.
ABOVE = {"recording"}

# The rooms and the whole of the wall between them.
WALL = ({"memory"}, {"layout", "struct", "schema"})

# Modules that need pydantic, which takes longer to import than all the rest; and what is imported when a function is
# called, by the module of the function.
HEAVY = {
    "schema.pydantic_checks",
    "schema.pydantic_models",
    "schema.pydantic_validation",
}
DEFERRED = {
    ("layout.json_checks", "unicodedata"),
    ("schema.classes", "schema.pydantic_models"),
    ("schema.instances", "schema.pydantic_models"),
    ("schema.resolve", "schema.pydantic_checks"),
    ("schema.resolve", "schema.pydantic_models"),
    ("schema.resolve", "schema.pydantic_validation"),
    ("sharing.paths", "pathlib"),
    ("struct.functions", "struct.json_values"),
    ("struct.pickling", "zlib"),
    ("testing.replaying", "recording.replay.replaying"),
}

# Packages that are public namespaces and re-export their own public names.
PUBLIC = {"foreign", "recording", "testing"}

LINES = 500
# The protocol is one file by design, and the stub of an extension module is one file by its nature.
LONGER = {"typedshm.h": 1800, "_native.pyi": 1000}


def source_files() -> list[Path]:
    """Python files, stubs and C files of the package."""
    return sorted(file for file in PACKAGE.rglob("*") if file.suffix in (".py", ".pyi", ".c", ".h"))


def module_of(file: Path) -> str:
    """The name of a module below ``typedshm``: ``layout.kinds``; of a package its own: ``layout``."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def label(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def room_of(module: str) -> str:
    return module.partition(".")[0]


PYTHON = [file for file in source_files() if file.suffix in (".py", ".pyi")]
NAMES = {module_of(file) for file in PYTHON}


@functools.cache
def imports(file: Path) -> list[tuple[str, bool, ast.stmt]]:
    return list(_imports(file))


def _imports(file: Path) -> Iterator[tuple[str, bool, ast.stmt]]:
    """The modules that a file imports, by full name, and whether inside of a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
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
            assert node.level == 0, f"{label(file)}:{node.lineno}: imports are absolute"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole.removeprefix("typedshm.") in NAMES else str(node.module), id(node) in inside, node


def modules_used(file: Path) -> Iterator[tuple[str, bool, ast.stmt]]:
    """The modules of the package that a file imports, by their names below ``typedshm``."""
    for name, deferred, node in imports(file):
        if name == "typedshm" or name.startswith("typedshm."):
            yield name.removeprefix("typedshm").removeprefix("."), deferred, node


@functools.cache
def graph() -> dict[str, set[str]]:
    """Every module with the modules that it imports, the public names of the package apart."""
    found: dict[str, set[str]] = {}
    for file in PYTHON:
        module = module_of(file)
        if module and not (module in PUBLIC and file.stem == "__init__"):
            found.setdefault(module, set()).update(used for used, _, _ in modules_used(file) if used)
    return found


def test_the_rooms_are_those_of_the_table() -> None:
    assert {room_of(module) for module in NAMES if module} == ROOMS.keys()


def test_each_room_imports_exactly_the_rooms_of_its_row() -> None:
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module, used in graph().items():
        found[room_of(module)] |= {room_of(other) for other in used} - {room_of(module)}
    assert found == ROOMS


def test_rooms_import_rooms_above_them_in_the_table_only() -> None:
    order = list(ROOMS)
    print("\nrooms, each may import those before it:\n  " + " · ".join(order))
    for room, used in ROOMS.items():
        assert used <= set(order[: order.index(room)]), f"{room} stands above what it imports"


def test_a_wall_stands_between_memory_and_the_description_of_values() -> None:
    memory, values = WALL
    modules = graph()
    for room, forbidden in [(room, values) for room in memory] + [(room, memory) for room in values]:
        below, found = set[str](), {room}
        while found - below:
            below |= found
            found = {room_of(other) for module, used in modules.items() if room_of(module) in below for other in used}
        assert not below & forbidden, f"{room} reaches {below & forbidden}"


@pytest.mark.parametrize("room", MODULES)
def test_modules_of_a_room_import_those_before_them(room: str) -> None:
    order = MODULES[room]
    print(f"\n{room}: " + " · ".join(order))
    modules = {module.partition(".")[2]: used for module, used in graph().items() if room_of(module) == room}
    assert modules.keys() - {""} == set(order)
    for module, used in modules.items():
        own = {other.partition(".")[2] for other in used if room_of(other) == room}
        allowed = set(order[: order.index(module)]) if module else set()
        assert own <= allowed, f"{room}.{module} imports {own - allowed}, which do not stand before it"


def test_rooms_with_several_modules_have_an_order() -> None:
    assert {room_of(module) for module in NAMES if "." in module} == MODULES.keys()


def test_the_modules_have_no_cycle() -> None:
    assert list(graphlib.TopologicalSorter(graph()).static_order())


@every(PYTHON)
def test_modules_import_those_that_define_the_names(file: Path) -> None:
    for used, _, node in modules_used(file):
        if room_of(module_of(file)) not in ON_TOP | ABOVE:
            assert used, f"{label(file)}:{node.lineno}: import the module that defines the name"


@every([file for file in PYTHON if room_of(module_of(file)) in ON_TOP])
def test_rooms_on_top_use_public_names_only(file: Path) -> None:
    for used, _, node in modules_used(file):
        assert room_of(used) in ("", "cli") or used in PUBLIC, (
            f"{label(file)}:{node.lineno}: import typedshm, and its public names"
        )
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "typedshm":
            public = node.attr in (*typedshm.__all__, "open", "foreign", "testing", "__version__")
            assert public, f"{label(file)}:{node.lineno}: typedshm.{node.attr} is not public"


@every(PYTHON)
def test_imports_inside_of_functions_are_the_listed_ones(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    listed = {used for module, used in DEFERRED if module == module_of(file)}
    for name, deferred, node in imports(file):
        if deferred:
            on_top = room_of(module_of(file)) in ON_TOP  # where every command takes what it needs
            assert on_top or name.removeprefix("typedshm.") in listed, (
                f"{label(file)}:{node.lineno}: move it to the top"
            )
            assert "is heavy" in "".join(lines[node.lineno - 2 : node.lineno]), "say why it is here"


def test_pydantic_is_imported_by_heavy_modules_only() -> None:
    users = {module_of(file) for file in PYTHON for name, _, _ in imports(file) if name.startswith("pydantic")}
    assert users == HEAVY
    for module, used in ((module, used) for module, others in graph().items() for used in others):
        assert used not in HEAVY or module in HEAVY or (module, used) in DEFERRED, (
            f"{module} would load pydantic through {used}"
        )


@every([file for file in PYTHON if file.name == "__init__.py"])
def test_packages_hold_a_docstring_and_public_ones_names(file: Path) -> None:
    first, *rest = ast.parse(file.read_text(encoding="utf-8")).body
    assert isinstance(first, ast.Expr), f"{label(file)}: begins with a docstring"
    module = module_of(file)
    for node in rest:
        assert not module or module in PUBLIC, f"{label(file)}:{node.lineno}: a package holds a docstring and no more"
        checkers_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        re_exports = isinstance(node, ast.ImportFrom | ast.Assign | ast.Expr)
        assert checkers_only or re_exports, f"{label(file)}:{node.lineno}: re-exports only"
        if module and isinstance(node, ast.ImportFrom):
            assert room_of(str(node.module).removeprefix("typedshm.")) == module, (
                "a package re-exports names of its own"
            )


@every(source_files())
def test_files_stay_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGER.get(file.name, LINES)


def test_the_table_of_the_architecture_names_every_module() -> None:
    rows = (PACKAGE.parent / "README.md").read_text(encoding="utf-8").splitlines()
    for room, modules in MODULES.items():
        (row,) = (line for line in rows if line.startswith(f"| `{room}` |"))
        named = set(re.findall(r"`([\w-]+)/?`", row.split("|")[2]))
        assert named == {module.partition(".")[0] for module in modules}


def test_what_few_programs_need_is_imported_on_its_first_use() -> None:
    program = """if True:
        import sys
        import typedshm
        later = {"foreign", "sharing.catalog", "sharing.paths", "sharing.topic", "sharing.notify", "layout.comparison"}
        later |= {"sharing.fallbacks", "schema.layouts"}
        later = {f"typedshm.{name}" for name in later} | {"zlib", "pydantic"}
        print(sorted(later & sys.modules.keys()), typedshm.regions.__name__, typedshm.foreign.RawSection.__name__)
        print(set(typedshm.__all__) <= set(dir(typedshm)), hasattr(typedshm, "recording"))
        from typedshm import *
        print(RawSection is typedshm.RawSection, path_of.__module__)
    """
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines() == ["[] regions RawSection", "True False", "True typedshm.sharing.paths"]
