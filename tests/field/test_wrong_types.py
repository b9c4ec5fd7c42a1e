"""An argument of a wrong type or value is refused in words: which parameter, what was expected, what was found.

Goes through every public function, class and method by their signatures, so that one that comes later is held to it,
too: it needs a row in CALLS, or a test says that it is missing.
"""

import asyncio
import contextlib
import copy
import datetime
import enum
import inspect
import pathlib
import re
import types
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import (
    Bytes,
    Doc,
    Layout,
    NamedMutex,
    Offset,
    RawSection,
    Region,
    Scalar,
    Shape,
    Struct,
    Timestamp,
    Unit,
    UpTo,
    Utf8,
    Utf16,
    Utf32,
    f64,
    testing,
    u16,
)


class Pose(Struct):
    x: f64
    n: u16
    name: Annotated[str, Utf8(8)]
    path: Annotated[NDArray[np.float32], Shape(3)]


class Scan(Struct):
    ranges: Annotated[NDArray[np.float32], UpTo(3)]


class Gear(enum.IntEnum):
    PARK = 0


class Color(enum.Enum):
    RED = 1


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


async def a_coroutine() -> None:
    pass


POSE = Pose(x=1.0, n=2, name="n", path=[1, 2, 3])

WRONG: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "str": "soon",
    "empty str": "",
    "digits": "600",
    "str with NUL": "a\0b",
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "0": 0,
    "5": 5,
    "-1": -1,
    "-7": -7,
    "huge": 10**30,
    "minus huge": -(10**30),
    "more digits than Python shows": 10**5000,
    "1.5": 1.5,
    "-0.5": -0.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "complex": 1j,
    "list": [1, 2],
    "empty list": [],
    "tuple": (1,),
    "dict": {"a": 1},
    "set": {1},
    "object": object(),
    "odd": Odd(),
    "class": Odd,
    "type": int,
    "struct": POSE,
    "struct class": Pose,
    "function": lambda *_, **__: 0,
    "coroutine function": a_coroutine,
    "module": types,
    "enum": Color.RED,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "Decimal": Decimal("1.5"),
    "Fraction": Fraction(1, 3),
    "timedelta": datetime.timedelta(seconds=1),
    "datetime": datetime.datetime(2024, 1, 1),
    "uuid": uuid.UUID(int=0),
    "int64": np.int64(3),
    "float32": np.float32(1.5),
    "bool_": np.bool_(True),
    "array": np.zeros(3),
    "0-d array": np.array(1),
    "array of objects": np.array([None, "x"], object),
    "datetime64": np.datetime64("2024-01-01"),
    "dtype": np.dtype("f4"),
    "memoryview": memoryview(b"abc"),
    "exception": ValueError("x"),
    "path": pathlib.Path("nothing/there"),
    "generator": (n for n in ()),
}

# What a message must never hold: private names, names of the core, and Python's own words for what is inside.
INSIDE = re.compile(
    r"(?<![\w.])_(?!_init__)[a-z]\w*|_native|\b(Ring|Mapping|WritersLock|Guard|Paging|StructMeta|PyObject)\b"
    r"|argument \d+ (must|to)|has no attribute|'NoneType' object|object (is not|cannot be)|not supported between"
    r"|unhashable|can't convert|cannot unpack|not subscriptable|too large to convert|to C (int|long)|Exceeds the limit"
)

REFUSALS = (TypeError, ValueError, OverflowError, IndexError, KeyError, typedshm.TypedshmError)

STATES = (
    *(typedshm.RegionNotFound, typedshm.RegionExists, typedshm.RegionRefused, typedshm.RegionFull, typedshm.Timeout),
    *(typedshm.Stale, typedshm.UnknownVersion),
)
"""Errors of a call whose arguments were right; they need not name one."""


class World(NamedTuple):
    """What the calls are made on."""

    region: Region[Pose]
    reader: Region[Pose]
    mutex: NamedMutex
    section: RawSection
    pictures: "Region[NDArray[np.uint8]]"
    table: typedshm.Table[Pose]


class Call(NamedTuple):
    """A call whose arguments are right, to be made wrong one by one.

    Attributes
    ----------
    arguments
        By their names; ``*shape`` is one of any number.
    finish
        What is done with the result.
    words
        What the messages about a parameter say instead of its name.
    positional
        Parameters without a name.
    documented
        An error that the function is documented to raise for right arguments.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    finish: Callable[[Any], object] = lambda _: None
    words: str = "(?!)"
    positional: tuple[str, ...] = ()
    documented: type[Exception] = ZeroDivisionError

    def make(self, changed: str, wrong: object) -> None:
        """Make the call with one wrong argument."""
        given = {**self.arguments, changed: wrong}
        first = [given.pop(name) for name in self.positional]
        for name in [name for name in given if name.startswith("*")]:
            first.append(given.pop(name))
        self.finish(self.function(*first, **given))


def close(result: Any) -> None:
    result.close()


def enter(block: Any) -> None:
    with block:
        pass


def step(follower: Any) -> None:
    with contextlib.suppress(typedshm.Timeout):
        next(follower)


def declare(annotation: Any) -> None:
    """Declare a Struct whose field "field" has an annotation."""
    types.new_class("Declared", (Struct,), {}, lambda body: body.update(__annotations__={"field": annotation}))


def again(mutex: NamedMutex) -> Callable[..., Any]:
    """Take a mutex if that is possible, and give it back by release()."""

    def release(**options: Any) -> None:
        mutex.acquire()
        try:
            mutex.release(**options)
        finally:
            if mutex.held:
                mutex.release()

    return release


OPENING: dict[str, Any] = {"scope": "user", "mode": 0o600, "prefault": True, "lock_memory": False}
LATER: dict[str, Any] = {"huge_pages": False, "check": True, "exclusive": False}
NEW: dict[str, Any] = {"name": "new", "schema": Pose, **OPENING, "slots": 3, "lossless": False, **LATER}
TOPIC: dict[str, Any] = {"name": "new", "schema": Pose, "slots": 3, "lossless": False, "scope": "user", "mode": 0o600}
TOPICS: dict[str, Any] = {"slots": 3, "lossless": False, "mode": 0o600, "exclusive": False}
PAGES: dict[str, Any] = {"prefault": True, "lock_memory": False, "huge_pages": False, "check": True}
SCHEMA = "as the schema|another layout|dtype"
FIELD = (
    r"Declared\.field|(Utf8|Utf16|Utf32|Latin1|Ascii|Ansi|Bytes|Offset|Scalar|Unit|Doc|Shape|UpTo|Pad|Missing|"
    r"Timestamp|Duration)\("
)

ROW = "row|IndexError|KeyError"

ROWS: dict[str, Callable[[World], Call]] = {
    # functions
    "create": lambda _: Call(typedshm.create, NEW, close, SCHEMA),
    "open": lambda _: Call(typedshm.open, NEW, close, SCHEMA),
    "attach": lambda _: Call(
        typedshm.attach,
        {
            "name": "pose",
            "schema": Pose,
            "timeout": 0,
            "readonly": False,
            "scope": "user",
            "prefault": True,
            "lock_memory": False,
            "check": True,
            "exclusive": False,
        },
        close,
        SCHEMA,
    ),
    "share": lambda _: Call(
        typedshm.share,
        {"name": "new", "value": np.zeros(2), **OPENING, "slots": 3, **LATER},
        close,
        "share: expected|dtype",
    ),
    "Topic": lambda _: Call(typedshm.Topic, {**TOPIC, **PAGES}, words=SCHEMA),
    "Topic.create": lambda _: Call(typedshm.Topic("new", Pose).create, {**TOPICS, **PAGES}, close),
    "Topic.open": lambda _: Call(typedshm.Topic("new", Pose).open, {**TOPICS, **PAGES}, close),
    "Topic.attach": lambda _: Call(
        typedshm.Topic("pose", Pose).attach,
        {"timeout": 0, "readonly": False, "prefault": True, "lock_memory": False, "check": True, "exclusive": False},
        close,
    ),
    "Topic.unlink": lambda _: Call(typedshm.Topic("gone", Pose).unlink, {"unused": False}),
    "unlink": lambda _: Call(typedshm.unlink, {"name": "gone", "scope": "user", "kind": "region", "unused": False}),
    "path_of": lambda _: Call(typedshm.path_of, {"name": "pose", "scope": "user"}),
    "look": lambda _: Call(typedshm.look, {"name": "pose", "scope": "user", "kind": "region"}),
    "entries": lambda _: Call(typedshm.entries, {"namespaces": False}),
    "opened_by": lambda _: Call(typedshm.opened_by, {"paths": ["pose"]}),
    "fallbacks": lambda _: Call(typedshm.fallbacks, {}),
    "command_of": lambda _: Call(typedshm.command_of, {"pid": 1}),
    "regions": lambda _: Call(typedshm.regions, {"scope": "user"}),
    "wait_any": lambda world: Call(
        typedshm.wait_any, {"sources": [world.region], "timeout": 0}, positional=("sources",), words="source"
    ),
    "wait_all": lambda world: Call(
        typedshm.wait_all, {"sources": [world.region], "timeout": 0}, positional=("sources",), words="source"
    ),
    "Notifier": lambda world: Call(typedshm.Notifier, {"*sources": world.region}, close, "source"),
    "Notifier.add": lambda world: Call(typedshm.Notifier().add, {"source": world.region}, words="source"),
    "Notifier.remove": lambda world: Call(typedshm.Notifier(world.region).remove, {"source": world.region}),
    "Notifier.wait": lambda world: Call(typedshm.Notifier(world.region).wait, {"timeout": 0}),
    "Notifier.clear": lambda world: Call(typedshm.Notifier(world.region).clear, {}),
    "Notifier.fileno": lambda world: Call(typedshm.Notifier(world.region).fileno, {}),
    "Notifier.close": lambda world: Call(typedshm.Notifier(world.region).close, {}),
    "Subscription.close": lambda world: Call(world.region.subscribe(lambda _: None).close, {}),
    "array": lambda _: Call(typedshm.array, {"dtype": np.uint8, "*shape": 2}, words="array", positional=("dtype",)),
    "asdict": lambda _: Call(typedshm.asdict, {"struct": POSE, "mode": "python"}),
    "replace": lambda _: Call(typedshm.replace, {"struct": POSE, "x": 2.0, "name": "y"}, positional=("struct",)),
    "raw": lambda _: Call(
        typedshm.raw, {"struct": POSE, "field": "x"}, positional=("struct", "field"), documented=AttributeError
    ),
    "resize": lambda _: Call(
        typedshm.resize,
        {"struct": Scan.zero(), "field": "ranges", "shape": 2},
        positional=("struct", "field", "shape"),
        documented=AttributeError,
        words="Scan.ranges",
    ),
    "version_of": lambda _: Call(typedshm.version_of, {"struct": POSE}),
    "time_of": lambda _: Call(typedshm.time_of, {"struct": POSE}),
    "to_struct": lambda _: Call(typedshm.to_struct, {"value": POSE}),
    "load": lambda _: Call(typedshm.load, {"name": "mumble-link", "abi": "utf-16"}, documented=OSError),
    "documents": lambda _: Call(typedshm.documents, {}),
    "layout_of": lambda _: Call(typedshm.layout_of, {"thing": Pose}, words=SCHEMA, documented=OSError),
    "compare": lambda _: Call(typedshm.compare, {"old": Pose, "new": Pose}, words=SCHEMA, documented=OSError),
    "get_include": lambda _: Call(typedshm.get_include, {}),
    # a region
    "Region.read": lambda world: Call(world.region.read, {"max_age": None}),
    "Region.read_into": lambda world: Call(
        world.region.read_into, {"value": copy.copy(POSE), "max_age": None}, words="expected a Struct of Pose"
    ),
    "Region.write": lambda world: Call(world.region.write, {"value": POSE, "timeout": 0}, words="expected a Pose"),
    "Region.update": lambda world: Call(world.region.update, {"timeout": 0}, enter),
    "Region.loan": lambda world: Call(world.pictures.loan, {"shape": 2, "timeout": 0}, enter, words="loan"),
    "Region.lock": lambda world: Call(world.region.lock, {"timeout": 0}, enter),
    "Region.borrow": lambda world: Call(world.region.borrow, {"max_age": None}, enter),
    "Region.wait": lambda world: Call(world.region.wait, {"after": 0, "timeout": 0, "copy": True, "until_gone": False}),
    "Region.subscribe": lambda world: Call(
        world.region.subscribe, {"callback": print, "every": False, "start": 1}, close, positional=("callback",)
    ),
    "Region.send": lambda world: Call(
        world.region.send, {"value": POSE, "timeout": 0}, asyncio.run, words="expected a Pose"
    ),
    "Region.next": lambda world: Call(world.region.next, {"after": 0, "timeout": 0, "until_gone": False}, asyncio.run),
    "Region.follow": lambda world: Call(
        world.region.follow,
        {"every": False, "start": "newest", "borrow": False, "reattach": False, "until_gone": False}
        | {"lossless": False, "name": None, "keep": None, "group": None, "redeliver": False, "timeout": 0},
        step,
    ),
    "Region.recent": lambda world: Call(world.region.recent, {"n": 1}),
    "Region.at": lambda world: Call(world.region.at, {"when": 4e9}),
    "Region.reattach": lambda world: Call(world.region.reattach, {"timeout": 0, "exclusive": False}, close),
    "Region.info": lambda world: Call(world.region.info, {}),
    "Region.fileno": lambda world: Call(world.region.fileno, {}),
    "Region.close": lambda world: Call(world.reader.close, {}),
    "Region.timeout": lambda world: Call(
        lambda timeout: setattr(world.region, "timeout", timeout) or setattr(world.region, "timeout", None),
        {"timeout": None},
    ),
    # a table
    "rows": lambda _: Call(
        lambda schema, n, keys: (
            typedshm.rows(schema, n, keys=keys) if keys is None else typedshm.rows(schema, keys=keys)
        ),
        {"schema": Pose, "n": 3, "keys": None},
        words=f"rows|{SCHEMA}",
    ),
    "Table.read": lambda world: Call(
        world.table.read, {"rows": [0], "out": None, "missing": "zero"}, words=ROW, positional=("rows",)
    ),
    "Table.write": lambda world: Call(
        world.table.write,
        {"rows": [0], "values": POSE, "timeout": 0},
        words=f"{ROW}|write|Pose",
        positional=("rows", "values"),
    ),
    "Table.update": lambda world: Call(
        world.table.update, {"row": 0, "timeout": 0}, enter, words=ROW, positional=("row",)
    ),
    "Table.lock": lambda world: Call(
        world.table.lock, {"rows": 0, "timeout": 0}, enter, words=ROW, positional=("rows",)
    ),
    "Table.append": lambda world: Call(
        world.table.append, {"value": POSE, "timeout": 0}, words="Pose", positional=("value",)
    ),
    "Table.append_many": lambda world: Call(
        world.table.append_many,
        {"values": [POSE], "timeout": 0},
        words="Pose|write|append_many",
        positional=("values",),
    ),
    "Table.versions": lambda world: Call(world.table.versions, {"rows": 0}, words=ROW),
    "Table.times": lambda world: Call(world.table.times, {"rows": 0}, words=ROW),
    "Table.lock_holders": lambda world: Call(world.table.lock_holders, {"rows": 0}, words=ROW, positional=("rows",)),
    "Table.key_of": lambda world: Call(world.table.key_of, {"number": 0}, words=ROW),
    "Table.wait": lambda world: Call(
        world.table.wait, {"rows": [0], "after": 0, "timeout": 0}, words=ROW, positional=("rows",)
    ),
    "Table.follow": lambda world: Call(world.table.follow, {"start": "newest", "timeout": 0}, step),
    "Table.info": lambda world: Call(world.table.info, {}),
    "Table.reattach": lambda world: Call(world.table.reattach, {"timeout": 0, "exclusive": False}, close),
    "Table.fileno": lambda world: Call(world.table.fileno, {}),
    "Table.close": lambda world: Call(copy.copy(world.table).close, {}),
    "Table.subscribe": lambda world: Call(
        world.table.subscribe, {"callback": print, "start": "next"}, close, positional=("callback",)
    ),
    "Follower.poll": lambda world: Call(world.region.follow().poll, {}),
    "Follower.drain": lambda world: Call(world.region.follow().drain, {"most": 1}),
    "Follower.close": lambda world: Call(world.region.follow().close, {}),
    "Follower.done": lambda world: Call(world.region.follow().done, {}),
    "Follower.discard": lambda world: Call(world.region.follow().discard, {}),
    "RowFollower.poll": lambda world: Call(world.table.follow().poll, {}),
    # locks, and memory of other programs
    "NamedMutex": lambda _: Call(NamedMutex, {"name": "new", "scope": "user", "mode": 0o600, "exact": False}, close),
    "NamedMutex.acquire": lambda world: Call(
        world.mutex.acquire, {"timeout": 0}, lambda taken: taken and world.mutex.release()
    ),
    "NamedMutex.release": lambda world: Call(again(world.mutex), {"repaired": True}),
    "NamedMutex.fileno": lambda world: Call(world.mutex.fileno, {}),
    "NamedMutex.close": lambda world: Call(NamedMutex("other").close, {}),
    "RawSection": lambda world: Call(
        RawSection, {"name": world.section.name, "size": 0, "create": False, "writable": False, "timeout": 0}, close
    ),
    "RawSection.array": lambda world: Call(
        world.section.array, {"dtype": np.uint8, "shape": 2, "offset": 0, "stride": None}, words="dtype|array"
    ),
    "RawSection.as_struct": lambda world: Call(world.section.as_struct, {"struct": Pose, "offset": 0}),
    "RawSection.fileno": lambda world: Call(world.section.fileno, {}),
    "RawSection.close": lambda world: Call(world.section.close, {}),
    "RawSection.unlink": lambda _: Call(RawSection.unlink, {}),
    # declarations
    "Struct": lambda _: Call(Pose, {"x": 1.0, "n": 2, "name": "n", "path": [1, 2, 3]}),
    "Layout.from_dtype": lambda _: Call(Layout.from_dtype, {"dtype": np.dtype([("a", "f4")]), "name": "T"}),
    "Layout.diff": lambda _: Call(Pose.layout.diff, {"other": Pose.layout}),
    "Layout.prefix_of": lambda _: Call(Pose.layout.prefix_of, {"other": Pose.layout}),
    "Layout.to_document": lambda _: Call(Pose.layout.to_document, {"value": "struct", "indent": 2, "keys": ["a"]}),
    "Layout.describe": lambda _: Call(Pose.layout.describe, {}),
    "LayoutField.describe": lambda _: Call(Pose.layout.fields[0].describe, {}),
    "ArraySchema.zeros": lambda _: Call(typedshm.array(np.uint8, UpTo(2)).zeros, {"*shape": 2}, words="zeros"),
    **{
        marker.__name__: lambda _, marker=marker: Call(
            lambda n, errors: declare(Annotated[str, marker(n, errors=errors)]),
            {"n": 4, "errors": "replace"},
            words=FIELD,
        )
        for marker in (Utf8, Utf16, Utf32, typedshm.Latin1, typedshm.Ascii)
    },
    "Ansi": lambda _: Call(
        lambda n, encoding, errors: declare(Annotated[str, typedshm.Ansi(n, encoding, errors=errors)]),
        {"n": 4, "encoding": "cp1251", "errors": "replace"},
        words=FIELD,
    ),
    "Bytes": lambda _: Call(lambda n: declare(Annotated[bytes, Bytes(n)]), {"n": 4}, words=FIELD),
    "Offset": lambda _: Call(lambda n: declare(Annotated[float, Scalar("f8"), Offset(n)]), {"n": 8}, words=FIELD),
    "Pad": lambda _: Call(lambda n: declare(Annotated[float, Scalar("f8"), typedshm.Pad(n)]), {"n": 8}, words=FIELD),
    "Missing": lambda _: Call(
        lambda number: declare(Annotated[float, Scalar("f8"), typedshm.Missing(number)]), {"number": -1}, words=FIELD
    ),
    "Scalar": lambda _: Call(
        lambda code, open: declare(Annotated[Gear, Scalar(code, open=open)]), {"code": "u2", "open": True}, words=FIELD
    ),
    "Unit": lambda _: Call(
        lambda text: declare(Annotated[float, Scalar("f8"), Unit(text)]), {"text": "m"}, words=FIELD
    ),
    "Doc": lambda _: Call(lambda text: declare(Annotated[float, Scalar("f8"), Doc(text)]), {"text": "m"}, words=FIELD),
    "Timestamp": lambda _: Call(
        lambda unit, width: declare(Annotated[datetime.datetime, Timestamp(unit, width)]),
        {"unit": "s", "width": "i4"},
        words=FIELD,
    ),
    "Duration": lambda _: Call(
        lambda unit, width: declare(Annotated[datetime.timedelta, typedshm.Duration(unit, width)]),
        {"unit": "s", "width": "i4"},
        words=FIELD,
    ),
    "UpTo": lambda _: Call(
        lambda size, of, free: declare(Annotated[NDArray[np.void], UpTo(size, of=of, free=free)]),
        {"size": 2, "of": Pose, "free": 1},
        words=FIELD,
    ),
    "Shape": lambda _: Call(
        lambda size, of, count: declare(Annotated[NDArray[np.void], Shape(size, of=of, count=count)]),
        {"size": 2, "of": Pose, "count": ""},
        words=FIELD,
    ),
    # namespaces
    "testing.isolated": lambda _: Call(testing.isolated, {}),
}

# Made by the library, not by its users, or only looked at; and what is no function of theirs.
RESULTS = (
    {"Table", "TableInfo", "TableSchema", "RowFollower", "Subscription"}
    | {
        "Participant",
        "Region",
        "Follower",
        "RegionInfo",
        "FollowerInfo",
        "Entry",
        "ArraySchema",
        "Layout",
        "LayoutField",
        "Enumeration",
    }
    | {
        *("Fallback", "Comparison", "LayoutChange", "LayoutAccess"),
    }
)
INNER = re.compile(r"\.changed(_of)?$|^((Region|Table)Info|Participant)\.shown$|^(Row)?Follower\.look$")


def public() -> Iterator[str]:
    """The names of everything public that can be called, but what test_wrong_types_of_*.py have."""
    for module, prefix in ((typedshm, ""), (testing, "testing.")):
        for name in {*module.__all__} - {"replayed"}:
            thing = getattr(module, name)
            if not inspect.isclass(thing):
                if inspect.isroutine(thing):
                    yield prefix + name
            elif not issubclass(thing, Exception):
                if name not in RESULTS:
                    yield prefix + name
                for member, method in inspect.getmembers(thing):
                    inherited = issubclass(thing, int) and hasattr(int, member)
                    if member.startswith("_") or inherited or not callable(method):
                        continue
                    if not INNER.search(f"{name}.{member}"):
                        yield f"{prefix}{name}.{member}"


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    file = tmp_path / "section"
    file.write_bytes(bytes(4096))
    with (
        typedshm.create("pose", Pose, slots=4) as region,
        typedshm.attach("pose", Pose, readonly=True) as reader,
        contextlib.closing(NamedMutex("guard")) as mutex,
        RawSection(file) as section,
        typedshm.create("pictures", typedshm.array(np.uint8, UpTo(4))) as pictures,
        typedshm.create("poses", typedshm.rows(Pose, 3)) as table,
    ):
        region.write(POSE)
        table[...] = POSE
        yield World(region, reader, mutex, section, pictures, table)


def test_every_public_name_has_a_row() -> None:
    assert {*public()} - {*ROWS} == set()
    assert len({*public()}) > 45


@pytest.mark.parametrize("name", ROWS)
def test_every_parameter_is_tried(name: str, world: World) -> None:
    call = ROWS[name](world)
    if name == "Struct" or getattr(call.function, "__module__", None) == __name__:
        return  # a signature of the test's own
    parameters = inspect.signature(call.function).parameters.values()
    named = {
        f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name
        for parameter in parameters
        if parameter.name not in ("_", "self") and parameter.kind is not parameter.VAR_KEYWORD
    }
    assert named - {*call.arguments} == set()


def complaint(call: Call, parameter: str, wrong: object) -> str:
    """Make a call; what is bad about how it is refused, or nothing."""
    try:
        call.make(parameter, wrong)
    except (*STATES, call.documented) as error:
        return "an inside" if INSIDE.search(str(error)) else ""
    except REFUSALS as error:
        if not isinstance(error, typedshm.TypedshmError) and type(error) not in REFUSALS:
            return f"a {type(error).__name__}"
        named = re.search(rf"\b{re.escape(parameter.lstrip('*'))}\b|{call.words}", str(error))
        if INSIDE.search(str(error)):
            return f"an inside: {error}"
        return "" if named else f"no name of the parameter: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in ROWS if name != "RawSection.unlink"])
def test_a_wrong_argument_is_refused_in_words(name: str, world: World) -> None:
    call = ROWS[name](world)
    found: list[str] = []
    for parameter in call.arguments:
        for kind, wrong in WRONG.items():
            said = complaint(ROWS[name](world), parameter, wrong)
            if said:
                found.append(f"{name}({parameter}={kind}): {said[:300]}")
            if world.region.info().lock_holder is not None or world.mutex.held:
                found.append(f"{name}({parameter}={kind}): something is held")
                break
    assert not found, "\n".join(found)
