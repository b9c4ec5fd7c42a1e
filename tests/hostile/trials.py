"""Many hostile cases in one child process: one that crashes, hangs or fails in the wrong way is named."""

import functools
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import typedshm
from helpers.peers import Child, SharedBytes

_BEAT = 200  # cases between two signs of life
_ROOM = 256 << 20  # more than any case may need

Attempt = Callable[[Any], None]


def survive(setting: Callable[..., AbstractContextManager[Attempt]], cases: Sequence[Any], *args: Any) -> Counter[str]:
    """Try every case in a child that has little memory and some patience.

    Parameters
    ----------
    setting
        A context manager of some module, called in the child with `args`; what it yields is called with each case,
        and may raise typedshm's errors; any other is the test's.
    cases
        Each with a telling ``repr()``.

    Returns
    -------
    Counter
        How often each came of it: the error's name, or "fine".
    """
    place = SharedBytes(8)

    def case() -> Any:
        return cases[int.from_bytes(place[:], "little")]

    outcomes: Counter[str] = Counter()
    with Child(_try_all, place, setting, cases, args) as child:
        try:
            while child.receive() != "done":
                pass
            outcomes.update(child.join())
        except (EOFError, OSError):
            child.kill()
            raise AssertionError(f"the child died ({child.status}) of {case()!r}") from None
        except AssertionError as error:
            raise AssertionError(f"at {case()!r}: {error}") from error
    return outcomes


def _try_all(
    pipe: Any,
    place: SharedBytes,
    setting: Callable[..., AbstractContextManager[Attempt]],
    cases: Sequence[Any],
    args: tuple[Any, ...],
) -> Counter[str]:
    limit_memory()
    outcomes: Counter[str] = Counter()
    with setting(*args) as attempt:
        for index, case in enumerate(cases):
            place[:] = index.to_bytes(8, "little")
            if index % _BEAT == 0:
                pipe.send("alive")
            ((_, outcome),) = each_outcome({"": functools.partial(attempt, case)})
            outcomes[outcome] += 1
    pipe.send("done")
    return outcomes


def limit_memory(room: int = _ROOM) -> None:
    """Keep this process from getting much more memory than it has; where that is possible."""
    if sys.platform != "linux":
        return
    resource = importlib.import_module("resource")  # of POSIX systems
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + room, size + room))


def each_outcome(verbs: "dict[str, Callable[[], Any]]") -> Iterator[tuple[str, str]]:
    """Call each; yields its name and that of the typedshm error it raised, or "fine". Any other error is raised."""
    for name, verb in verbs.items():
        try:
            verb()
        except typedshm.TypedshmError as error:
            yield name, type(error).__name__
        else:
            yield name, "fine"


def verbs_of(region: "typedshm.Region[Any]") -> "dict[str, Callable[[], Any]]":
    """Everything one can do with a region of cars, class or none, without waiting."""
    region.timeout = 0

    def update() -> None:
        with region.update() as value:
            value.tick = 9

    def loan() -> None:
        with region.loan() as value:
            value.tick = 10

    def lock() -> None:
        with region.lock():
            region.read()

    return {
        "version": lambda: region.version,
        "info": region.info,
        "repr": lambda: repr(region),
        "read": lambda: repr(region.read()),
        "wait": lambda: repr(region.wait(after=0)),
        "wait for more": region.wait,
        "update": update,
        "loan": loan,
        "write": lambda: region.write(region.read()),
        "lock": lock,
        "read again": region.read,
    }


def table_verbs_of(table: "typedshm.Table[Any]") -> "dict[str, Callable[[], Any]]":
    """Everything one can do with a table of cars of at least 70 rows, class or none, without waiting."""
    table.timeout = 0
    follower: Any = None

    def update() -> None:
        with table.update(3) as value:
            value.tick = 9

    def lock() -> None:
        with table.lock([3, 69]):
            table.read(3)

    def follow() -> None:
        nonlocal follower
        follower = follower or table.follow(start="newest")
        follower.poll()
        next(follower)

    def copy() -> None:
        items = table.read(..., missing="zero")
        table.write(slice(60, 70), items[60:70])
        table.append_many(items[:3])

    return {
        "info": table.info,
        "repr": lambda: repr(table),
        "filled": lambda: table.filled,
        "versions": lambda: (table.versions(...), table.times(...), len(table)),
        "read": lambda: repr(table.read(3)),
        "read all": lambda: table.read(...),
        "read some": lambda: repr(table.read([0, 63, 64, 69], missing="zero")),
        "wait": lambda: table.wait([3], after=0),
        "wait for more": table.wait,
        "update": update,
        "write": lambda: table.write(3, table.read(4)),
        "columns": lambda: table.write([3, 4], {"tick": 7}),
        "append": lambda: table.append(table.read(5)),
        "copy": copy,
        "lock": lock,
        "follow": follow,
        "read again": lambda: table.read(69),
    }
