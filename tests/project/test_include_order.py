"""The rooms of the C core: which file may include which, and whose names are whose.

Run with ``-s`` it prints the order of the floors.
"""

import graphlib
import re
from pathlib import Path

from helpers.compilers import PACKAGE
from helpers.sources import every

CORE = PACKAGE / "_native"

# Its folders and the files beside them, from the ground up: each may include what lies below. Rooms of one floor do not
# know of each other.
FLOORS: tuple[set[str], ...] = (
    {"typedshm"},  # the protocol, which includes nothing of ours
    {"os"},  # and knows no Python
    {"native"},
    {"arguments", "checksum", "missing"},
    {"timeout"},
    {"memory"},
    {"struct", "lock"},
    {"ring"},
    {"rows", "wait"},
    {"codecs"},
    {"module"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

C_FILES = sorted(CORE.rglob("*.[ch]"))
SYSTEMS = ("posix", "linux", "macos", "windows")


def c_path(file: Path) -> str:
    return file.relative_to(CORE).as_posix()


def c_room(path: str) -> str:
    return Path(path).parts[0].removesuffix(".h").removesuffix(".c")


def included(file: Path) -> list[str]:
    """The files of ours that a C file includes."""
    return re.findall(r'^#include "(.*)"$', file.read_text(), re.MULTILINE)


def code_of(file: Path) -> str:
    """A C file without comments, preprocessor lines and texts."""
    text = re.sub(r"/\*.*?\*/", " ", file.read_text(), flags=re.DOTALL)
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text)
    return re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.MULTILINE)


def noun_of(file: Path) -> str:
    """What a file is about: its name without the system that it is for; the folder's where it has no other."""
    noun = re.sub(rf"_({'|'.join(SYSTEMS)})$", "", file.stem)
    return file.parent.name if noun in SYSTEMS else noun


def top_level(file: Path) -> str:
    """The code of a file outside of all braces."""
    text, before = code_of(file), ""
    while text != before:
        text, before = re.sub(r"\{[^{}]*\}", "{}", text.replace("{}", "@")), text
    return text


def exported(file: Path) -> list[str]:
    """The functions and variables that a C file defines for others."""
    found = []
    for statement in re.split(r";|(?<=@)\s*\n", top_level(file)):
        words = statement.strip()
        own = re.match(
            r"(static|_Thread_local static|typedef|extern|PyMODINIT_FUNC)\b|(struct|enum|union)\b[^@]*@$", words
        )
        declares = "(" in words and "@" not in words
        if words and not own and not declares:
            head = words.split("=")[0].split("(")[0].split("[")[0]
            found.append(re.findall(r"\w+", head)[-1])
    return found


def test_every_room_of_the_core_is_on_a_floor() -> None:
    assert {c_room(c_path(file)) for file in C_FILES} | {"typedshm"} == FLOOR.keys()


@every(C_FILES)
def test_includes_lead_downward(file: Path) -> None:
    room = c_room(c_path(file))
    for used in included(file):
        assert used == "typedshm.h" or (CORE / used).is_file(), f"{c_path(file)}: {used} is not written from _native"
        assert c_room(used) == room or FLOOR[c_room(used)] < FLOOR[room], f"{c_path(file)} must not include {used}"


def test_the_files_of_the_core_have_no_cycle() -> None:
    """Files with their headers; ``-s`` prints the order."""
    uses: dict[str, set[str]] = {}
    for file in C_FILES:
        name = Path(c_path(file)).with_suffix("").as_posix()
        below = {Path(used).with_suffix("").as_posix() for used in included(file)}
        uses.setdefault(name, set()).update(below - {name})
    order = list(graphlib.TopologicalSorter(uses).static_order())
    print("\nfrom the ground up:", *order)
    assert order[-1] == "module"


@every(sorted(CORE.glob("os/*")))
def test_the_system_knows_no_python(file: Path) -> None:
    assert not re.search(r"#include.*\b(Python|native)\.h", file.read_text())
    assert not re.search(r"\bPy[A-Z_]", code_of(file))


@every([file for file in C_FILES if file.suffix == ".c"])
def test_what_a_file_exports_has_its_name_and_is_in_its_header(file: Path) -> None:
    nouns = {noun_of(file), *(["os"] if file.parent.name == "os" else [])}
    headers = [header for header in file.parent.glob("*.h") if noun_of(header) in nouns]
    declared = "".join(code_of(header) for header in headers)
    for name in exported(file):
        assert name.startswith(tuple(f"{noun}_" for noun in nouns)), f"{c_path(file)}: {name}"
        assert re.search(rf"\b{name}\b", declared), f"{c_path(file)}: {name} is not declared in its header"


@every(C_FILES)
def test_the_prefix_of_the_protocol_is_left_to_it(file: Path) -> None:
    protocol = set(re.findall(r"\w+", (PACKAGE / "include" / "typedshm.h").read_text()))
    own = {word for word in re.findall(r"\b(?:tshm|TSHM)_\w+", file.read_text()) if not word.endswith("_")}
    assert own <= protocol, f"{c_path(file)}: {own - protocol}"


@every(C_FILES)
def test_camel_case_is_for_objects_of_python(file: Path) -> None:
    structures = re.findall(r"\bstruct (\w*) ?\{([^{}]*)\}\s*(\w*)", code_of(file))
    for tag, members, name in structures:
        for word in (tag, name):
            assert not re.match(r"[A-Z]\w*[a-z]", word) or re.search(r"(PyObject|OPENED)_HEAD", members), (
                f"{c_path(file)}: {word}"
            )
