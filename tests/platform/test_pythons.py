"""What newer Pythons changed, and what must hold on each.

Code is written as text here where it means something else, or nothing at all, to some of them.
"""

import asyncio
import copy
import functools
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydantic
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks

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
from typedshm.schema.resolve import schema_of
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
    with pytest.raises(typedshm.SchemaError, match=r"Made.u8: 2 is a value and no type"):
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


def test_fields_may_be_under_conditions_and_in_loops(either: Written) -> None:
    made = either(
        """
def make(flag):
    class Made(Struct):
        x: u8
        if flag:
            y: u16 = 2
        else:
            z: u64
        for _ in range(2):
            w: u8 = 3
    return Made
"""
    ).make
    assert [field.name for field in made(True).layout.fields] == ["x", "y", "w"]
    assert [field.name for field in made(False).layout.fields] == ["x", "z", "w"]


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


def test_a_body_that_sets_its_annotations_itself(written: Written) -> None:
    made = written(
        """
class Made(Struct):
    x: u8
    __annotations__ = {"x": u8, "y": "u16"}
    y = 3
"""
    ).Made
    assert repr(made(x=1)) == "Made(x=1, y=3)"


@deferred
def test_a_body_that_answers_for_its_annotations_itself(written: Written) -> None:
    made = written(
        """
class Made(Struct):
    y = 3

    def __annotate__(format):
        if format != 1:
            raise NotImplementedError
        return {"x": u8, "y": u16}
"""
    ).Made
    assert repr(made(x=1)) == "Made(x=1, y=3)"


def test_a_made_class_still_tells_its_annotations(either: Written) -> None:
    module = either(
        """
class Base(Struct):
    x: f64
    kind: ClassVar[int] = 3

class Made(Base):
    name: Annotated[str, Utf8(3)] = ""
"""
    )
    name, x = typing.Annotated[str, typedshm.Utf8(3)], typedshm.f64
    hints = typing.get_type_hints(module.Made, include_extras=True)
    assert hints == {"x": x, "kind": typing.ClassVar[int], "name": name}
    assert list(module.Made.__annotations__) == ["name"]


@deferred
def test_a_made_class_tells_its_annotations_in_every_format(written: Written) -> None:
    import annotationlib  # not there before

    made = written("class Made(Struct):\n    x: f64\n    n: Annotated[str, Utf8(3)] = ''").Made
    values = {"x": typedshm.f64, "n": typing.Annotated[str, typedshm.Utf8(3)]}
    assert annotationlib.get_annotations(made) == values
    assert annotationlib.get_annotations(made, format=annotationlib.Format.FORWARDREF) == values
    texts = {"x": "f64", "n": "Annotated[str, Utf8(3)]"}
    assert annotationlib.get_annotations(made, format=annotationlib.Format.STRING) == texts


@deferred
def test_methods_may_name_what_only_type_checkers_import(either: Written) -> None:
    made = either(
        """
if TYPE_CHECKING:
    from nowhere import Thing

class Made(Struct):
    x: u8

    def same(self, thing: Thing) -> Thing:
        return thing
"""
    ).Made
    assert made(x=1).same(2) == 2


RECORDS = {
    "dataclass": "@dataclasses.dataclass\nclass {name}:",
    "slots": "@dataclasses.dataclass(slots=True)\nclass {name}:",
    "frozen": "@dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True)\nclass {name}:",
    "keywords": "@dataclasses.dataclass(kw_only=True)\nclass {name}:",
    "pydantic": "@pydantic.dataclasses.dataclass\nclass {name}:",
    "model": "class {name}(pydantic.BaseModel):",
}


@pytest.mark.parametrize("form", RECORDS)
def test_records_may_name_what_is_defined_behind_them(later: Written, form: str) -> None:
    code = f"""
import pydantic.dataclasses

{RECORDS[form].format(name="Outer")}
    x: f64
    name: Annotated[str, Utf8(LENGTH)]
    inner: Inner

{RECORDS[form].format(name="Inner")}
    n: u8 = 3

LENGTH = 4
if hasattr(Outer, "model_rebuild"):
    Outer.model_rebuild()
"""
    module = later(code)
    struct = typedshm.to_struct(module.Outer(x=1.0, name="a", inner=module.Inner(n=5)))
    assert repr(struct) == "Outer(x=1.0, name='a', inner=Inner(n=5))"
    assert (type(struct).layout.size, type(struct).layout.doc) == (16, "")


def test_a_record_whose_names_come_too_late_can_be_asked_again(later: Written) -> None:
    code = "@dataclasses.dataclass\nclass Outer:\n    x: Annotated[f64, Unit(METRE)]"
    module = later(code)
    with pytest.raises(typedshm.SchemaError, match="Outer: an annotation cannot be evaluated: name 'METRE'"):
        typedshm.to_struct(module.Outer(1.0))
    module.METRE = "m"
    assert type(typedshm.to_struct(module.Outer(1.0))).layout.fields[0].unit == "m"


def test_a_made_dataclass_is_a_schema(written: Written) -> None:
    module = written(
        """
Made = dataclasses.make_dataclass("Made", [("x", f64), ("n", "u8", 3)], namespace={"__doc__": "Made."})
Made.__module__ = __name__
"""
    )
    struct = typedshm.to_struct(module.Made(1.0))
    assert (repr(struct), type(struct).layout.doc) == ("Made(x=1.0, n=3)", "Made.")


# ---- 3.12: the syntax of type parameters and aliases -----------------------------------------------------------------


@since(12, "no syntax for it")
def test_type_statements_and_type_parameters(written: Written) -> None:
    module = written(
        """
type Speed = Annotated[f32, Unit("m/s")]

class Made[T](Struct):
    x: Speed
    y: Annotated[Speed, Doc("upwards")] = 2.0

def make[T](item: T):
    class Inner(Struct):
        x: item
    return Inner
""",
    )
    x, y = module.Made.layout.fields
    assert (x.kind, x.unit, y.unit, y.doc) == ("f32", "m/s", "m/s", "upwards")
    assert repr(module.Made(x=1)) == "Made(x=1.0, y=2.0)"
    assert module.make(typedshm.u16).layout.size == 2


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
import copy
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


# ---- 3.15: UTF-8 is the default encoding (PEP 686) -------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["0", "1"])
def test_names_are_the_same_in_every_encoding(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside each other: processes of Pythons that take UTF-8 for granted, and of others in the C locale."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    name = "größe €"
    with typedshm.create(name, typedshm.array(np.int64, 1)) as region:
        region.write(np.array([7]))
        lines = run(
            f"""
import typedshm
name = {name!a}
with typedshm.attach(name) as region:
    print(region.read()[0], [entry.name for entry in typedshm.regions()] == [name])
""",
            "-X",
            f"utf8={mode}",
        )
    assert lines == ["7 True"]


def test_importing_every_module_warns_of_nothing() -> None:
    code = """
import importlib, importlib.util, pkgutil, sys, typedshm
left_out = [".posix" if sys.platform == "win32" else ".windows"]
left_out += [".hook-"]  # which PyInstaller runs, with modules of its own
if not all(map(importlib.util.find_spec, ("click", "rich"))):
    left_out += [".cli.", ".__main__"]  # an extra
if not importlib.util.find_spec("mcap"):
    left_out += [".recording", ".replaying"]  # another
for found in pkgutil.walk_packages(typedshm.__path__, "typedshm."):
    if not any(part in found.name for part in left_out):
        importlib.import_module(found.name)
print(typedshm.testing.strategies.instances.__name__)
"""
    assert run(code, "-X", "dev", "-X", "warn_default_encoding") == ["instances"]


# ---- asyncio: tasks that start at once (3.12) ------------------------------------------------------------------------


@since(12, "every task starts later")
def test_eager_tasks_are_tasks_like_others() -> None:
    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        with typedshm.create("eager", typedshm.array(np.int64, 1)) as region:

            async def read() -> int:
                return int((await region.next())[0])

            waiting = asyncio.create_task(read())
            region.write(np.array([5]))
            got = [await waiting, await asyncio.create_task(read())]
            entered, looked = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                with region.lock():
                    entered.set()
                    await looked.wait()

            async def meddle() -> None:
                with region.lock():
                    pass

            holding = asyncio.create_task(hold())
            await entered.wait()
            with pytest.raises(typedshm.MisuseError, match="another task of this thread"):
                await asyncio.create_task(meddle())
            looked.set()
            await holding
            await asyncio.create_task(meddle())
            return got

    assert asyncio.run(main()) == [5, 5]


# ---- 3.14: several interpreters in a process (PEP 734) ---------------------------------------------------------------


@since(14, "no module concurrent.interpreters")
def test_another_interpreter_is_refused_and_leaves_the_first_as_it_was() -> None:
    lines = run(
        """
import os
from concurrent import interpreters
import typedshm
class Pose(typedshm.Struct):
    x: typedshm.f64
alone = f"import sys, types; sys.modules['typedshm'] = package = types.ModuleType('typedshm'); "
alone += f"package.__path__ = [{os.path.dirname(typedshm.__file__)!r}]; import typedshm._native"
for code in "import typedshm", alone:
    other = interpreters.create()
    try:
        other.exec(code)
    except interpreters.ExecutionFailed as error:
        print(error.excinfo.type.__name__)
    other.close()
print(Pose(x=1))
"""
    )
    assert lines == ["ImportError", "ImportError", "Pose(x=1.0)"]


# ---- 3.15: the file of an extension module may be named after the machine --------------------------------------------


@pytest.mark.skipif(marks.FREE_THREADED, reason="free-threaded Python: its binary is for itself alone")
def test_the_binary_has_the_name_that_every_python_looks_for() -> None:
    """A wheel that a new Python has built says that it is for old ones too, and pip keeps it for them."""
    assert Path(str(_native.__file__)).name == ("_native.pyd" if marks.WINDOWS else "_native.abi3.so")


# ---- 3.15: frozendict ------------------------------------------------------------------------------------------------


@lazy
def test_a_frozendict_holds_fields_and_annotations(written: Written) -> None:
    made = written("class Made(Struct):\n    __annotations__ = frozendict(x=u8, y=u8)\n    y = 2").Made
    frozen: Any = made.__annotations__
    assert type(frozen).__name__ == "frozendict"
    assert repr(made(**type(frozen)(x=1))) == "Made(x=1, y=2)"
    assert typedshm.replace(made(x=1), **type(frozen)(y=4)).y == 4


# ---- 3.13: copy.replace(); 3.14: words in a dataclass's fields ------------------------------------------------------


@since(13, "there is no copy.replace()")
def test_a_struct_is_replaced_as_other_values_are(written: Written) -> None:
    module = written("class Pose(Struct):\n    x: f64\n    y: f64 = 2.0\n")
    pose = module.Pose(x=1.0)
    replaced = copy.replace(pose, x=3.0)  # type: ignore[attr-defined]
    assert (type(replaced), replaced.x, replaced.y, pose.x) == (module.Pose, 3.0, 2.0, 1.0)
    with pytest.raises(TypeError, match="has no field 'z'"):
        copy.replace(pose, z=1.0)  # type: ignore[attr-defined]


@since(14, "a dataclass's fields have no words")
def test_the_words_of_a_dataclass_field_are_its_doc(written: Written) -> None:
    module = written("""
@dataclasses.dataclass
class Pose:
    x: f64 = dataclasses.field(doc="to the east")
    y: Annotated[f64, Unit("m"), Doc("to the north")] = dataclasses.field(default=0.0, doc="other words")
    z: Annotated[f64, Unit("m")] = dataclasses.field(default=0.0, doc="up")
    w: f64 = 0.0
""")
    fields = typedshm.schema.resolve.schema_of(module.Pose).layout.fields
    assert [field.doc for field in fields] == ["to the east", "to the north", "up", ""]
    assert [field.unit for field in fields] == ["", "m", "m", ""]
