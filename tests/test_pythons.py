"""What newer Pythons changed, and what must hold on each.

Code is written as text here where it means something else, or nothing at all, to some of them.
"""

import functools
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pydantic
import pytest

import typedshm

Written = Callable[..., ModuleType]

HEAD = """
import dataclasses, typing
from datetime import datetime
from typing import Annotated, Any, ClassVar, TYPE_CHECKING

import numpy as np
import pydantic
from numpy.typing import NDArray

import typedshm
from typedshm import *
from typedshm.adapters import schema_of
"""


def since(minor: int, reason: str) -> pytest.MarkDecorator:
    """Skip a test on Pythons older than 3.minor, for something they do not have."""
    return pytest.mark.skipif(sys.version_info < (3, minor), reason=f"Python before 3.{minor}: {reason}")


deferred = since(14, "annotations are evaluated where they stand")
lazy = since(15, "no import is lazy")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Return what runs the code of a module, its annotations as this Python has them or as strings."""

    def run_module(code: str, *, strings: bool = False) -> ModuleType:
        module = ModuleType("written")
        monkeypatch.setitem(sys.modules, "written", module)
        future = "from __future__ import annotations\n" if strings else ""
        exec(compile(future + HEAD + code, "written.py", "exec", dont_inherit=True), module.__dict__)
        return module

    return run_module


@pytest.fixture(params=["values", "strings"])
def either(request: pytest.FixtureRequest, written: Written) -> Written:
    """Return the same, for tests in which it must not matter how the annotations are written."""
    return functools.partial(written, strings=request.param == "strings")


@pytest.fixture(params=["values", "strings"])
def later(request: pytest.FixtureRequest, written: Written) -> Written:
    """Return the same, for code that needs its annotations evaluated later than where they stand."""
    if request.param == "values" and sys.version_info < (3, 14):
        pytest.skip("Python before 3.14: only strings are evaluated later than where they stand")
    return functools.partial(written, strings=request.param == "strings")


def run(code: str, *options: str) -> list[str]:
    """Run code in a process of its own, where a warning is an error, and return the lines it prints."""
    command = [sys.executable, "-W", "error", *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# ---- 3.14: annotations are evaluated when somebody asks for them (PEP 649, PEP 749) ----------------------------------


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ("N: ClassVar[int] = 3; x: Annotated[NDArray[np.float32], Shape(N)]", 12),
        ("_N: ClassVar[int] = 3; x: Annotated[NDArray[np.float32], Shape(_N)]", 12),
        ("N = 3; x: Annotated[NDArray[np.float32], Shape(N)]", 12),
        ("Text = Annotated[str, Utf8(5)]; x: Text; y: Text = 'abc'", 10),
        ("n: u8 = 3; x: Annotated[NDArray[np.float32], Shape(n)]", 16),
        ("datetime: Annotated[datetime, Timestamp()]", 8),
        ("f64: f64; x: f64", 16),
        ("x: f32; f32: f64", 16),
    ],
)
def test_names_mean_in_an_annotation_what_they_mean_in_the_body(either: Written, body: str, size: int) -> None:
    assert either(f"class Made(Struct):\n    {body}").Made.layout.size == size


def test_a_name_that_has_a_default_means_the_default(either: Written) -> None:
    with pytest.raises(typedshm.SchemaError, match=r"Made.u8: 2 cannot be stored"):
        either("class Made(Struct):\n    u8: u8 = 2")


def test_a_name_may_get_its_meaning_later_in_the_body(later: Written) -> None:
    made = later("class Made(Struct):\n    x: Annotated[NDArray[np.float32], Shape(N)]\n    N = 3").Made
    assert made.layout.size == 12


def test_an_annotation_is_evaluated_once(either: Written) -> None:
    module = either(
        """
calls = []

def counted():
    calls.append(1)
    return f64

class Made(Struct):
    x: counted()
"""
    )
    assert (module.calls, module.Made.layout.size) == ([1], 8)


@pytest.mark.parametrize(
    "annotation",
    [
        "missing",
        "missing.f64",
        "Annotated[missing, Scalar('u1')]",
        "Annotated[f64, missing]",
        "Annotated[f64, missing('m')]",
        "Annotated[f64, Unit(missing)]",
        "Annotated[f64, Unit('m' if missing else 's')]",
        "Annotated[f64, Doc('in ' + missing)]",
        "Annotated[str, Utf8(missing)]",
        "Annotated[NDArray[missing], Shape(2)]",
        "Annotated[NDArray[np.void], Shape(2, of=missing)]",
        "ClassVar[missing]",
    ],
)
def test_a_missing_name_is_an_error_wherever_it_stands(either: Written, annotation: str) -> None:
    # a NameError of Python's own where it evaluates them on the way through the body
    with pytest.raises((typedshm.SchemaError, NameError), match="name 'missing' is not defined") as caught:
        either(f"class Made(Struct):\n    x: {annotation}\n    y: f64")
    assert caught.type is typedshm.SchemaError or sys.version_info < (3, 14)


INCOMPLETE = pydantic.errors.PydanticUserError


@deferred
@pytest.mark.parametrize(
    ("annotation", "error", "words"),
    [
        ("Annotated[f64, missing]", typedshm.SchemaError, "Model.x: missing in its annotation is not defined"),
        ("Annotated[f64, missing('m')]", typedshm.SchemaError, r"missing\('m'\) in its annotation is not defined"),
        ("Annotated[f64, Unit(missing)]", INCOMPLETE, "not fully defined; you should define `missing`"),
        ("Annotated[f64, Doc(missing)]", INCOMPLETE, "not fully defined; you should define `missing`"),
        ("Annotated[NDArray[np.void], Shape(2, of=missing)]", INCOMPLETE, "not fully defined"),
    ],
)
def test_a_model_hides_no_missing_name(written: Written, annotation: str, error: type[Exception], words: str) -> None:
    """Pydantic asks for forward references, which stand in the metadata for what does not exist."""
    model = written(f"class Model(pydantic.BaseModel):\n    x: {annotation}").Model
    with pytest.raises(error, match=words):
        typedshm.to_struct(model(x=1.0))


@pytest.mark.parametrize("item", ["Unit(3)", "Doc(None)", "Shape(2, of='Pose')"])
def test_metadata_of_the_wrong_type_is_refused_at_once(written: Written, item: str) -> None:
    with pytest.raises(typedshm.SchemaError, match="expected"):
        written(f"made = {item}")


ENCLOSED = """
def outer(n):
    def make():
        class Made(Struct):
            x: Annotated[NDArray[np.uint8], Shape(n)]
        return Made
    return make

def other(make, n=100):
    return make()

made = other(outer(3))
"""


def test_names_are_those_of_the_functions_around_the_class_and_never_of_a_caller(written: Written) -> None:
    assert written(ENCLOSED).made.layout.size == 3
    with pytest.raises(typedshm.SchemaError, match="name 'n' is not defined"):  # outer() has ended, and a string holds
        written(ENCLOSED, strings=True)  # on to nothing


# ---- 3.15: imports can wait for the first use of a name (PEP 810) ----------------------------------------------------

MODEL = """
import typedshm
class Pose(typedshm.Struct):
    x: typedshm.f64
    n: "typedshm.u8" = 3
print(Pose.model()(x=1))
"""
STRUCT_IN_MODEL = """
import pydantic, typedshm
class Pose(typedshm.Struct):
    x: typedshm.f64
class Report(pydantic.BaseModel):
    pose: Pose
print(Report(pose=Pose(x=1)))
"""
FIELDS_OF_MODEL = """
import pydantic
from typing import Annotated
from typedshm import Utf8, f64, to_struct
class Report(pydantic.BaseModel):
    x: f64
    name: Annotated[str, Utf8(3)]
print(to_struct(Report(x=1, name="abc")))
"""
FIELDS_OF_DATACLASS = """
import dataclasses
from typedshm import f64, to_struct
@dataclasses.dataclass
class Report:
    x: "f64" = 1.0
print(to_struct(Report()))
"""
TASKS = """
import asyncio
import numpy as np
import typedshm
async def main():
    with typedshm.create("lazy", typedshm.array(np.int64, 1)) as region:
        entered, looked = asyncio.Event(), asyncio.Event()
        async def hold():
            with region.lock():
                entered.set()
                await looked.wait()
        async def meddle():
            await entered.wait()
            try:
                with region.lock():
                    print("two tasks have the lock")
            except typedshm.MisuseError as error:
                print(type(error).__name__)
            looked.set()
        await asyncio.gather(hold(), meddle())
        region.write(np.array([5]))
        print(*await region.next())
asyncio.run(main())
"""
BORROWED = """
import typedshm
class Pose(typedshm.Struct):
    x: typedshm.f64
with typedshm.create("lazy", Pose) as region:
    region.write(Pose(x=1))
    with region.borrow() as pose:
        try:
            pose.x = 2
        except typedshm.ReadOnly as error:
            print(type(error).__name__)
    try:
        pose.x
    except typedshm.Closed as error:
        print(type(error).__name__)
"""


@lazy
@pytest.mark.parametrize(
    ("code", "lines"),
    [
        (MODEL, ["x=1.0 n=3"]),
        (STRUCT_IN_MODEL, ["pose=Pose(x=1.0)"]),
        (FIELDS_OF_MODEL, ["Report(x=1.0, name='abc')"]),
        (FIELDS_OF_DATACLASS, ["Report(x=1.0)"]),
        (TASKS, ["MisuseError", "5"]),
        (BORROWED, ["ReadOnly", "Closed"]),
    ],
    ids=["model", "struct in a model", "fields of a model", "fields of a dataclass", "tasks", "borrowed"],
)
def test_all_works_where_every_import_is_lazy(code: str, lines: list[str]) -> None:
    """Nothing may hang on a module having been imported that nobody has asked for by name."""
    assert run(code, "-X", "lazy_imports=all") == lines


@lazy
def test_the_library_can_be_imported_lazily_beside_what_is_missing() -> None:
    lines = run(
        """
import sys
lazy import missing_beside
lazy from typing import Annotated
lazy from typedshm import Struct, Utf8, f64
lazy import typedshm
print("typedshm" in sys.modules)
def make():
    class Made(Struct):
        x: f64
        n: "typedshm.u8" = 3
        name: "Annotated[str, Utf8(3)]" = ""
    return Made
print(make()(x=1))
print(type(globals()["missing_beside"]).__name__)
lazy from missing import Thing
try:
    class Made(Struct):
        x: Thing
except ImportError as error:
    print(error.name)
try:
    class Made(Struct):
        x: "Thing"
except ImportError as error:
    print(error.name)
"""
    )
    assert lines == ["False", "Made(x=1.0, n=3, name='')", "lazy_import", "missing", "missing"]
