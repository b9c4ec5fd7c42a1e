"""What the C core asks of Python by name is what typedshm.contract says, and what the classes have."""

import ctypes
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import typedshm
from helpers.compilers import PACKAGE
from helpers.shared_types import Record
from typedshm import NamedMutex, Region, Table
from typedshm import contract as written
from typedshm.mutex import LOCK_ERRORS
from typedshm.region.error_table import ERRORS, REPLACED_BY_LOSS
from typedshm.region.following import Follower
from typedshm.schema.resolve import schema_of
from typedshm.table.error_table import TABLE_ERRORS

CORE = "\n".join(
    re.sub(r"/\*.*?\*/", " ", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for file in sorted((PACKAGE / "_native").rglob("*.[ch]"))
)

# Methods and attributes of Python's own objects, NumPy's and the core's that it uses as well.
OTHERS = {"__complex__", "__basicsize__", "Structure", "isoformat", "protect"}
OTHERS |= {"_ARRAY_API", "dtype", "isnative", "itemsize", "kind", "names", "frombuffer", "reshape"}
# Failures that Python alone raises.
RAISED_BY_PYTHON = {"not lossless", "follower read-only", "open block", "reattach timeout"}
# Failures of tables alone.
OF_TABLES = {"row timeout", "row order"}

_CLASS = type("Class", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_int)]})


def asked(pattern: str) -> set[str]:
    return set(re.findall(pattern, CORE)) - OTHERS


def members(*protocols: Any) -> set[str]:
    """The names that protocols declare."""
    return {name for protocol in protocols for name in vars(protocol) if not name.startswith(("__", "_abc_", "_is_"))}


def test_the_methods_of_a_region_and_a_guard() -> None:
    called = asked(r'PyObject_CallMethod\([^;]*?"(\w+)"')
    assert called == members(
        written.CoreRegion, written.CoreGuard, written.CoreArraySchema, written.CoreTable, written.CoreFollower
    )
    assert all(callable(getattr(Region, name)) for name in members(written.CoreRegion))
    assert all(callable(getattr(NamedMutex, name)) for name in members(written.CoreGuard))
    assert all(callable(getattr(Table, name)) for name in members(written.CoreTable))
    assert all(callable(getattr(Follower, name)) for name in members(written.CoreFollower))


def test_the_attributes_of_a_schema() -> None:
    read = asked(r'(?:take_attribute|take_flag|PyObject_GetAttrString|values_part)\([^;]*?"(\w+)"')
    taken = set(re.findall(r'take_attribute\(schema, "(\w+)"', CORE))
    assert read | taken == members(written.CoreSchema, written.CoreStructSchema) | {"_format"}
    assert written.CoreStruct.__annotations__.keys() == {"_format"} <= vars(Record).keys()
    for schema in (
        schema_of(Record),
        schema_of(typedshm.array(np.uint8, 4)),
        schema_of(_CLASS),
        schema_of(np.dtype("u1,u1")),
    ):
        assert all(hasattr(schema, name) for name in members(written.CoreSchema))
    assert all(hasattr(schema_of(Record), name) for name in members(written.CoreStructSchema))
    assert [schema.unguarded for schema in (schema_of(Record), schema_of(_CLASS))] == [False, True]


def test_the_failures() -> None:
    verbs = "ring_fail|rows_fail|rows_fail_for|held_problem|native_fail|unreadable|guarded_problem"
    failing = rf"(?:{verbs})\(.*?\)\s*(?:;|\{{.*?\n\}})|\*?problem = [^;]*;"
    named = {text for call in re.findall(failing, CORE, re.DOTALL) for text in re.findall(r'"([a-z -]{3,20})"', call)}
    listed = set(get_args(written.Failure))
    assert named == listed - RAISED_BY_PYTHON
    assert ERRORS.keys() | OF_TABLES == TABLE_ERRORS.keys() == listed
    assert LOCK_ERRORS.keys() < listed
    assert listed > REPLACED_BY_LOSS


def test_the_refusals() -> None:
    named = set(re.findall(r'field_refuse\([^;]*?, "(\w+)"\)', CORE))
    assert named == set(get_args(written.Refusal))


@pytest.mark.parametrize("what", sorted({*get_args(written.Failure)} - OF_TABLES))
def test_every_failure_is_raised_with_words(what: str) -> None:
    with typedshm.create("record", Record) as region, pytest.raises(ERRORS[what][0], match="region 'record' "):  # type: ignore[index]
        typedshm._native.fail(region, what)


@pytest.mark.parametrize("what", get_args(written.Failure))
def test_every_failure_of_a_table_is_raised_with_words(what: str) -> None:
    kind = TABLE_ERRORS[what][0]  # type: ignore[index]
    with typedshm.create("records", typedshm.rows(Record, 2)) as table, pytest.raises(kind, match="table 'records' "):
        typedshm._native.fail(table, what)


def test_no_number_stands_for_a_failure_in_python() -> None:
    for file in Path(PACKAGE).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\bstatus [!=]= \d", text), f"{file.name}: use the names that the core exports"


def test_private_access_is_ignored_in_three_places() -> None:
    files = [file for suffix in ("py", "pyi") for file in PACKAGE.rglob(f"*.{suffix}")]
    found = [
        file.name
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if "reportPrivateUsage" in line
    ]
    assert sorted(found) == ["public_names.py", "struct.py", "struct.py"]
