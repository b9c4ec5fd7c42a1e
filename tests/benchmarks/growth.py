"""How costs grow: with the fields of a struct, the bytes of a value, the readers, and the regions of a process."""

import contextlib
import functools
import itertools
import multiprocessing
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import rounds
import scratch
from adapters.base import Records, Values, create
from measurement import BLACKBOARD, LOCK, OURS, Measurement, Plan
from numpy.typing import NDArray
from remote import Remote
from rounds import Cost

import typedshm
from typedshm import Shape, Struct, u64

MEMCPY = "memcpy"
ONE_FIELD = "typedshm, one field of the same size"
ONE_READER = "typedshm, one reader"
ONE_REGION = "typedshm, one region"
MIDDLE = range(1 << 12, (1 << 16) + 1)
"""Bytes that take as long to copy as everything else together."""
LARGE = 1 << 20
"""From this many bytes on the copy is all that may count."""


def measure(plan: Plan) -> list[Measurement]:
    """All curves."""
    return [*_fields(plan), *_payload(plan), *_readers(plan), *_regions(plan)]


# ---- fields ----


def _fields(plan: Plan) -> list[Measurement]:
    found: list[Measurement] = []
    for count in (1, 10, 100, 1000):
        many = type(f"Fields{count}", (Struct,), {"__annotations__": {f"f{i}": u64 for i in range(count)}})
        one = type(
            f"Field{count}", (Struct,), {"__annotations__": {"values": Annotated[NDArray[np.uint64], Shape(count)]}}
        )
        source, target = bytes(8 * count), bytearray(8 * count)
        reads: dict[str, rounds.Work] = {}
        writes: dict[str, rounds.Work] = {}
        with contextlib.ExitStack() as stack:
            for label, schema in ((OURS, many), (ONE_FIELD, one)):
                region: Any = stack.enter_context(typedshm.create(scratch.name(), schema))
                value = schema.zero()
                region.write(value)
                reads[label] = region.read
                writes[label] = lambda write=region.write, value=value: write(value)
            for works in (reads, writes):
                # the cheapest copy there is in Python
                works[MEMCPY] = functools.partial(memoryview(target).__setitem__, slice(None), source)
            for verb, works in (("read", reads), ("write", writes)):
                costs = rounds.costs(works, 5 * plan.rounds, 0.002)  # short turns: small differences are to be seen
                name = f"{verb} {count:,} field{'s' if count > 1 else ''}"
                found.append(Measurement("growth", name, "µs", costs, {ONE_FIELD: 1.15}, f"fields, {verb}", count))
    return found


# ---- bytes ----


def _sizes(plan: Plan) -> list[int]:
    sizes = sorted({64 << (3 * step) for step in range(8)} | {1 << 14, 1 << 16, 1 << 28})
    most = min(plan.memory, 1 << 24) if plan.quick else plan.memory
    return [size for size in sizes if size <= most]


def _payload(plan: Plan) -> list[Measurement]:
    found: list[Measurement] = []
    for size in _sizes(plan):
        source = np.full(size, 7, np.uint8)
        # the slots of a ring take turns, so the targets of the copy that it is compared with do so, too
        targets = [np.zeros(size, np.uint8) for _ in range(3)]
        turns = itertools.cycle(targets)
        with contextlib.ExitStack() as stack:
            writes: dict[str, rounds.Work] = {}
            reads: dict[str, rounds.Work] = {}
            for kind in plan.kinds("VALUES"):
                peer: Values = create(stack, kind, size)[0]
                writes[kind.label] = lambda put=peer.put, value=source: put(value)
                reads[kind.label] = peer.get
                for _ in range(5):  # every slot's pages are there
                    peer.put(source)
                if not np.array_equal(np.asarray(peer.get()), source):
                    raise AssertionError(f"{kind.label}: got something else than was put in")
            writes[MEMCPY] = lambda of=source, turns=turns: np.copyto(next(turns), of)
            reads[MEMCPY] = lambda of=source, to=targets[0]: np.copyto(to, of)
            bars = {MEMCPY: 1.15} if size >= LARGE else {LOCK: 1.0} if size in MIDDLE else {}
            for verb, works in (("write", writes), ("read", reads)):
                few = min(plan.rounds, 5) if size > LARGE else plan.rounds
                costs = rounds.costs(works, few, 0.01)
                if bars:  # those two once more, in many turns
                    costs |= rounds.costs({label: works[label] for label in (OURS, *bars)}, 5 * few, 0.01)
                found.append(Measurement("growth", f"{verb} {words(size)}", "µs", costs, bars, f"bytes, {verb}", size))
    return found


def words(size: int) -> str:
    """Bytes in words: 4096 is 4 KiB."""
    for unit, shift in (("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"


# ---- readers ----


class Visitor:
    """In the other process: reads a hundred times a second."""

    def __init__(self, kind: type[Records], name: str, address: Any, over: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)
        self.peer.read()
        self.over = over

    def visit(self) -> None:
        """Go on until it is over."""
        while not self.over.value:
            self.peer.read()
            time.sleep(0.01)

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def _readers(plan: Plan) -> list[Measurement]:
    counts = (1, 2, 4, 8) if plan.quick else (1, 2, 4, 8, 16)
    over = multiprocessing.get_context("spawn").RawValue("b", 0)
    found: dict[int, dict[str, Cost]] = {count: {} for count in counts}
    for kind in plan.kinds("RECORDS"):
        if kind.label not in (OURS, BLACKBOARD, LOCK):
            continue
        with contextlib.ExitStack() as stack:
            peer: Records
            peer, address = create(stack, kind)
            visitors = [stack.enter_context(Remote(Visitor, kind, peer.name, address, over)) for _ in range(counts[-1])]
            for visitor in visitors:
                visitor.end()
            value = peer.value(3)
            work = {kind.label: lambda write=peer.write, value=value: write(value)}
            turns: dict[int, list[Cost]] = {count: [] for count in counts}
            for _ in range(plan.rounds):
                for count in counts:
                    over.value = 0
                    for visitor in visitors[:count]:
                        visitor.begin("visit")
                    turns[count].append(rounds.costs(work, 1, 0.02)[kind.label])
                    over.value = 1
                    for visitor in visitors[:count]:
                        visitor.end()
            for count in counts:
                found[count][kind.label] = Cost.over(turns[count])
    for costs in found.values():
        costs[ONE_READER] = found[1][OURS]
    return [
        Measurement(
            "growth",
            f"write a record, {count} read it 100 times a second" if count > 1 else "write a record, one reads it",
            "µs",
            costs,
            {ONE_READER: 1.2},
            "readers, write",
            count,
        )
        for count, costs in found.items()
    ]


# ---- regions ----


def _regions(plan: Plan) -> list[Measurement]:
    """A write and a read in turn, of one region after the other."""
    _allow_files()
    counts = (1, 10, 100, 1000)
    found: dict[int, dict[str, Cost]] = {}
    for count in counts:
        with contextlib.ExitStack() as stack:
            works: dict[str, Callable[[], object]] = {}
            for kind in plan.kinds("RECORDS"):
                if kind.label == OURS or (count <= 100 and kind.label in (BLACKBOARD, LOCK)):
                    works[kind.label] = _tour(kind, count, stack)
            found[count] = rounds.costs(works, plan.rounds, 0.02)
            found[count][ONE_REGION] = found[1][OURS]
    return [
        Measurement(
            "growth",
            f"write and read, {count:,} region{'s' if count > 1 else ''} in turn",
            "µs",
            costs,
            {},
            "regions, write and read",
            count,
        )
        for count, costs in found.items()
    ]


def _tour(kind: type[Records], count: int, stack: contextlib.ExitStack) -> rounds.Work:
    peers = [create(stack, kind)[0] for _ in range(count)]
    value = peers[0].value(3)
    for peer in peers:  # some make what they write and read with only then
        peer.write(value)
        peer.read()
    turns = itertools.cycle([(peer.write, peer.read) for peer in peers])

    def step() -> None:
        write, read = next(turns)
        write(value)
        read()

    return step


def _allow_files() -> None:
    """A thousand regions take more open files than a shell allows by default."""
    with contextlib.suppress(ImportError):
        import resource  # there is none on Windows, nor a limit

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 1 << 16) if most > 0 else 1 << 16, most))
