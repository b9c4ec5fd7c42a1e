"""What `typedshm.foreign` says of arguments of wrong types and values: as all other functions, by name and in words."""

import asyncio
import contextlib
import inspect
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from test_wrong_types import WRONG, Call, close, complaint, enter

from typedshm import Struct, f64, foreign, u32


class Words(Struct):
    begin: u32
    end: u32
    x: f64


RULE = foreign.Counters("begin", "end")


class World(NamedTuple):
    """What the calls are made on."""

    place: pathlib.Path
    publisher: foreign.Publisher
    region: "foreign.ForeignRegion[Words]"


TARGET: dict[str, Any] = {"schema": Words, "consistent": RULE, "pid": None, "unit": 0}
SCHEMA = "schema|document|name|has no field"


def step(follower: Any) -> None:
    with contextlib.suppress(TimeoutError):
        next(follower)


def run(coroutine: Any) -> None:
    asyncio.run(coroutine)


def fresh(world: World) -> "foreign.ForeignRegion[Words]":
    """A handle that has not read yet, so that waiting ends at once, whatever the timeout."""
    return foreign.attach(world.place, Words, consistent=RULE)


FIELDS: dict[str, dict[str, Any]] = {
    "Still": {"tick": "begin", "written": "last"},
    "Counters": {"begin": "begin", "end": "end"},
    "Parity": {"sequence": "begin"},
    "Busy": {"flag": "begin", "tick": "end"},
    "Generation": {"first": "begin", "second": "end"},
    "NewestBuffer": dict.fromkeys(("buffers", "count", "tick", "begin", "offset", "size"), "begin"),
    "RotatingBuffer": {"read": "begin", "write": "end", "offsets": "x"},
    "Mutex": {"name": "guard", "tick": "begin", "recheck": ()},
    "BusyWord": {"section": "lock", "event": "event"},
    "ReaderCount": {"word": "begin"},
    "Consumed": {"mode": "begin", "count": "end", "valid": "x"},
}

ROWS: dict[str, Callable[[World], Call]] = {
    "attach": lambda world: Call(
        foreign.attach,
        {"memory": world.place, **TARGET, "timeout": 0, "writable": False, "abi": None},
        close,
        words=SCHEMA,
        documented=OSError,
    ),
    "Publisher": lambda world: Call(
        foreign.Publisher,
        {"memory": world.place, **TARGET, "size": 0},
        close,
        words=SCHEMA,
        documented=OSError,
    ),
    "Publisher.write": lambda world: Call(
        world.publisher.write, {"value": {"x": 1.0}, "source": "", "frame": None}, words="field|expected a Words|parts"
    ),
    "Publisher.put": lambda world: Call(
        world.publisher.put, {"offset": 8, "data": b"x", "source": ""}, words="section"
    ),
    "Publisher.place": lambda world: Call(world.publisher.place, {"source": ""}),
    "Publisher.close": lambda world: Call(world.publisher.close, {"remove": False}),
    "ForeignRegion.read": lambda world: Call(fresh(world).read, {"*sources": "memory", "max_age": None}),
    "ForeignRegion.wait": lambda world: Call(fresh(world).wait, {"*sources": "memory", "timeout": 0}),
    "ForeignRegion.next": lambda world: Call(fresh(world).next, {"*sources": "memory", "timeout": 0}, run),
    "ForeignRegion.follow": lambda world: Call(fresh(world).follow, {"*sources": "memory", "timeout": 0}, step),
    "ForeignRegion.borrow": lambda world: Call(fresh(world).borrow, {"*sources": "memory"}, enter),
    "ForeignRegion.write": lambda world: Call(
        world.region.write, {"value": {"x": 1.0}, "source": ""}, words="field|expected a Words"
    ),
    "ForeignRegion.info": lambda world: Call(world.region.info, {"source": ""}),
    "ForeignRegion.states": lambda world: Call(world.region.states, {}),
    "ForeignRegion.again": lambda world: Call(world.region.again, {}),
    "ForeignRegion.close": lambda world: Call(world.region.close, {}),
    "bridge": lambda world: Call(
        foreign.bridge,
        {
            "source": world.region,
            "name": "bridged",
            "hz": None,
            "timeout": 0,
            "pid": None,
            "unit": 0,
            "capacity": None,
            "scope": "user",
            "mode": None,
        },
        close,
        words="memory",
        documented=OSError,
    ),
    "Document.load": lambda _: Call(foreign.Document.load, {"name": "acc"}, documented=OSError),
    "Document.source": lambda _: Call(foreign.Document.load("acc").source, {"name": "physics"}, words="sources"),
    "Document.layout": lambda _: Call(
        foreign.Document.load("mumble-link").layout, {"source": "link", "abi": "utf-16"}, words="sources"
    ),
    "SysV": lambda world: Call(lambda key: foreign.attach(foreign.SysV(key), Words), {"key": 7}, words="System V"),
    "Descriptor": lambda world: Call(
        lambda fd, size: foreign.attach(foreign.Descriptor(fd, size), Words),
        {"fd": 10**6, "size": 16},
        words="descriptor",
    ),
} | {
    name: lambda world, name=name, fields=fields: Call(  # type: ignore[misc]
        lambda **given: foreign.attach(world.place, Words, consistent=getattr(foreign, name)(**given)),
        fields,
        close,
        words="Words|recheck",
    )
    for name, fields in FIELDS.items()
}

# Made by the library, not by its users, or only looked at.
RESULTS = {"Bridge", "Document", "ForeignRegion", "ForeignFollower", "ForeignInfo", "Snapshot", "State", "Rule"}


def public() -> Iterator[str]:
    """The names of everything that users call."""
    for name in foreign.__all__:
        thing = getattr(foreign, name)
        if name not in RESULTS | {"RawSection", "documents", "Flattening"}:
            yield name
        if name in ("ForeignRegion", "Publisher"):
            for member, method in inspect.getmembers(thing):
                if not member.startswith("_") and callable(method):
                    yield f"{name}.{member}"


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    place = tmp_path / "memory"
    with foreign.Publisher(place, Words, consistent=RULE) as publisher:
        publisher.write({"x": 1.0})
        with foreign.attach(place, Words, consistent=RULE, writable=True) as region:
            yield World(place, publisher, region)


def test_every_public_name_of_foreign_has_a_row() -> None:
    assert {*public()} - {*ROWS} == set()


@pytest.mark.parametrize("name", ROWS)
def test_every_parameter_of_foreign_is_tried(name: str, world: World) -> None:
    call = ROWS[name](world)
    if getattr(call.function, "__module__", None) == __name__:
        return  # a signature of the test's own
    parameters = inspect.signature(call.function).parameters.values()
    named = {
        f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name
        for parameter in parameters
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    assert named - {*call.arguments} == set()


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_argument_of_foreign_is_refused_in_words(name: str, world: World) -> None:
    found: list[str] = []
    for parameter in ROWS[name](world).arguments:
        for kind, wrong in WRONG.items():
            if parameter in ("timeout", "max_age") and wrong is None:
                continue  # waits for ever
            said = complaint(ROWS[name](world), parameter, wrong)
            if said:
                found.append(f"{name}({parameter}={kind}): {said[:300]}")
    assert not found, "\n".join(found)


def test_help_shows_the_fields_of_a_rule() -> None:
    assert str(inspect.signature(foreign.Busy)) == "(flag: str, tick: str = '')"
