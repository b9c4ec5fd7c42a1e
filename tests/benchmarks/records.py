"""The 80-byte record: to write it, to read it consistently, to change three of its fields, to read it under fire."""

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import rounds
import schemas
from adapters.base import Records, create
from measurement import BLACKBOARD, KICKMSG, VALUE, Measurement, Plan
from remote import Remote
from rounds import Cost


class Reader:
    """In the other process: reads while its parent writes as fast as it can."""

    def __init__(self, kind: type[Records], name: str, address: Any) -> None:
        self.peer = kind(name)
        self.peer.attach(address)
        self.peer.read()

    def read(self, seconds: float) -> tuple[list[int], int, int]:
        """Return the nanoseconds of each read, how many were torn, and how many different ones were seen."""
        values: list[Any] = []
        read = self.peer.read
        taken = rounds.each(lambda: values.append(read()), seconds)
        return taken, sum(not schemas.is_whole(value) for value in values), len({value.tick for value in values})

    def close(self) -> None:
        """Leave."""
        self.peer.close()


def measure(plan: Plan) -> list[Measurement]:
    """All of it."""
    kinds: list[type[Records]] = plan.kinds("RECORDS")
    with contextlib.ExitStack() as stack:
        peers: dict[str, Records] = {}
        for kind in kinds:
            peers[kind.label], _ = create(stack, kind)
        return [*_alone(peers, plan), _contended(kinds, plan)]


def _alone(peers: dict[str, Records], plan: Plan) -> list[Measurement]:
    """Nobody else is there."""
    seconds = 0.01 if plan.quick else 0.02
    works: dict[str, dict[str, Callable[[], object]]] = {"read": {}, "write": {}, "update": {}}
    for label, peer in peers.items():
        works["read"][label] = peer.read
        value = peer.value(3)
        works["write"][label] = lambda write=peer.write, value=value: write(value)
        works["update"][label] = lambda update=peer.update: update(5)
    costs = {verb: rounds.costs(works_of_verb, plan.rounds, seconds) for verb, works_of_verb in works.items()}
    for label, peer in peers.items():
        costs["read"][label].torn = int(not schemas.is_whole(_written(peer)))
    return [
        Measurement("records", "read a record", "µs", costs["read"], {BLACKBOARD: 1 / 10, KICKMSG: 1 / 4}),
        Measurement("records", "write a record", "µs", costs["write"], {BLACKBOARD: 1 / 6, KICKMSG: 0.7}),
        Measurement("records", "update three fields", "µs", costs["update"], {VALUE: 1.0}),
    ]


def _written(peer: Records) -> Any:
    """Read back what is written now."""
    peer.write(peer.value(8))
    record = peer.read()
    if record.tick != 8:
        raise AssertionError(f"{peer.label}: wrote 8, read {record.tick}")
    return record


def _contended(kinds: list[type[Records]], plan: Plan) -> Measurement:
    """A writer at full speed, a reader at full speed in another process; pairs take turns."""
    seconds = 0.15 if plan.quick else 0.3
    with contextlib.ExitStack() as stack:
        pairs: dict[str, tuple[Records, Remote]] = {}
        for kind in kinds:
            peer, address = create(stack, kind)
            pairs[kind.label] = peer, stack.enter_context(Remote(Reader, kind, peer.name, address))
        for _, reader in pairs.values():
            reader.end()
        taken: dict[str, list[list[int]]] = {label: [] for label in pairs}
        torn = dict.fromkeys(pairs, 0)
        for _ in range(max(1, plan.rounds // 3)):
            for label, (peer, reader) in pairs.items():
                times, more = _pair(label, peer, reader, seconds)
                taken[label].append(times)
                torn[label] += more
    costs = {label: Cost.of(taken[label], 1 / 1000, torn[label]) for label in pairs}
    return Measurement("records", "read a record while another process writes", "µs", costs)


def _pair(label: str, peer: Records, reader: Remote, seconds: float) -> tuple[list[int], int]:
    """Write while it reads: nanoseconds of its reads, and how many were torn."""
    values = itertools.cycle([peer.value(number) for number in range(100, 164)])
    write = peer.write
    for _ in range(20):  # on a busy machine one of the two may not have had its turn
        reader.begin("read", seconds)
        while not reader.answered:
            for _ in range(32):
                write(next(values))
        times, torn, seen = reader.end()
        if seen > 1:
            return times, torn
    raise AssertionError(f"{label}: the reader never saw a new record")
