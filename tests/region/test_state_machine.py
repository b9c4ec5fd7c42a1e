"""Regions against a plain model of them: any verbs in any order, through any handles, in processes that may be killed.

Every process is an agent that does what it is told, one verb at a time, so that there is always one right answer; the
model knows it. What happens when verbs overlap is the business of the storms and of the Promela models.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Big, Record
from typedshm.testing.inspection import attachment_of

NAME = "region"
CHILDREN = 1 if marks.WINDOWS else 2
SPARE = 1 if marks.WINDOWS else 3
"""Children that stand in for killed ones. A child must not inherit handles, so none is started in mid-example."""


# ---- what a process does -------------------------------------------------------------------------------------------


def value_of(schema: type, n: int) -> Any:
    """The value of a schema whose every field says n; for 0 that is also its default."""
    return (
        Record(**dict.fromkeys("abcdefghij", n))
        if schema is Record
        else Big(tick=n, data=np.full(100_000, n % 251, np.uint8))
    )


def number_in(value: Any) -> int:
    """The number that a whole value says; -1 if its fields do not agree."""
    schema, n = (Record, value.a) if isinstance(value, Record) else (Big, value.tick)
    return n if bytes(value) == bytes(value_of(schema, n)) else -1


class Raised(Exception):
    """What a block raises on purpose."""


class Agent:
    """The handles of one process, and the verbs on them. Every verb tells its result, or the name of its error."""

    def __init__(self) -> None:
        self._regions: dict[int, typedshm.Region[Any]] = {}
        self._blocks: dict[int, list[tuple[Any, Any]]] = {}

    def __call__(self, verb: str, *args: Any) -> Any:
        """Do something."""
        try:
            return getattr(self, verb)(*args)
        except typedshm.TypedshmError as error:
            return type(error).__name__

    def open(self, key: int, how: str, schema: type, slots: int) -> None:
        if how == "readonly":
            region: Any = typedshm.attach(NAME, schema, readonly=True)
        elif how == "attach":
            region = typedshm.attach(NAME, schema)
        else:
            region = getattr(typedshm, how)(NAME, schema, slots=slots)
        region.timeout = 0
        attachment = attachment_of(region)
        header = attachment.header
        attachment.named = lambda location: header  # type: ignore[method-assign]  # when that is noticed takes a clock
        self._regions[key] = region

    def close(self, key: int) -> None:
        self._regions[key].close()
        del self._regions[key]

    def unlink(self) -> None:
        typedshm.unlink(NAME)

    def write(self, key: int, n: int) -> None:
        region = self._regions[key]
        region.write(value_of(self._schema(key), n))

    def enter(self, key: int, verb: str, n: int) -> int | None:
        """Begin a block, inside of those begun before; returns what an update starts from."""
        block = getattr(self._regions[key], verb)()
        value = block.__enter__()
        self._blocks.setdefault(key, []).append((block, value))
        if verb == "lock":
            return None
        found = number_in(value) if verb == "update" else None
        np.frombuffer(value, np.uint8)[:] = np.frombuffer(value_of(self._schema(key), n), np.uint8)
        return found

    def leave(self, key: int, raises: bool) -> None:
        """End the innermost block."""
        block, _ = self._blocks[key].pop()
        block.__exit__(*((Raised, Raised(), None) if raises else (None, None, None)))

    def change(self, key: int, verb: str, n: int, raises: bool) -> int | None:
        """A whole block."""
        found = self.enter(key, verb, n)
        self.leave(key, raises)
        return found

    def read(self, key: int) -> tuple[int, int]:
        value = self._regions[key].read()
        return number_in(value), typedshm.version_of(value)

    def read_into(self, key: int) -> tuple[int, int]:
        value = self._schema(key).zero()
        self._regions[key].read_into(value)
        return number_in(value), typedshm.version_of(value)

    def wait(self, key: int, after: int | None) -> tuple[int, int]:
        value = self._regions[key].wait(after=after)
        return number_in(value), typedshm.version_of(value)

    def look(self, key: int) -> tuple[Any, ...]:
        info = self._regions[key].info()
        assert info.version == self._regions[key].version
        assert (info.published is None, info.last_death is None) == (info.version == 0, info.deaths == 0)
        return info.version, info.slots, info.lock_holder, sorted(info.writers), sorted(info.readers), info.deaths

    def clear(self) -> None:
        """Leave everything."""
        for key, blocks in self._blocks.items():
            while blocks:
                self.leave(key, True)
        for key in list(self._regions):
            self.close(key)

    def _schema(self, key: int) -> Any:
        return Record if self._regions[key].layout.id == Record.layout.id else Big


def obey(pipe: Any) -> None:
    """Be an agent in a child."""
    agent = Agent()
    for words in iter(pipe.recv, None):
        pipe.send(agent(*words))


class Remote:
    """An agent in a child."""

    def __init__(self) -> None:
        self.child = Child(obey)
        self.pid = self.child.pid
        self.fit = True

    def __call__(self, *words: Any) -> Any:
        """Have it do something."""
        self.fit = False  # unless it answers
        self.child.send(words)
        answer = self.child.receive()
        self.fit = True
        return answer


class Local(Agent):
    """An agent in this process."""

    pid = os.getpid()


class Staff:
    """All children, also those of later examples."""

    def __init__(self) -> None:
        self.all: list[Remote] = []
        self.killed = self.killed_inside = 0

    def complete(self) -> list[Remote]:
        """Start those that are missing; nobody may have a handle just now."""
        self.all.extend(Remote() for _ in range(CHILDREN + SPARE - len(self.all)))
        return list(self.all)

    def kill(self, remote: Remote) -> None:
        self.all.remove(remote)
        remote.child.kill()
        self.killed += 1

    def dismiss(self) -> None:
        """End them all."""
        for remote in self.all:
            remote.child.kill()


# ---- what ought to come of it --------------------------------------------------------------------------------------


@dataclass
class Attachment:
    """What a process has of a region by all handles that may write."""

    entry: int  # of the presence table
    has_written: bool = False


@dataclass
class Shared:
    """What is known of a region."""

    schema: type
    slots: int
    version: int = 0
    number: int = 0
    handles: "list[Handle]" = field(default_factory=list)
    attachments: dict[Any, Attachment] = field(default_factory=dict)  # of the agents
    holder: Any = None  # of the writers' lock: an agent
    holder_died: bool = False  # and was not found yet
    dirty: bool = False  # found, and what it left not yet repaired
    deaths: int = 0

    def publish(self, agent: Any, number: int) -> None:
        self.version += 1
        self.number = number
        self.attachments[agent].has_written = True

    def find_death(self) -> None:
        """Somebody takes what a dead holder had."""
        if self.holder_died:
            self.deaths += not self.dirty
            self.dirty, self.holder_died = True, False

    def free_entry(self) -> int:
        taken = {attachment.entry for attachment in self.attachments.values()}
        return next(entry for entry in range(512) if entry not in taken)

    def let_in(self, agent: Any) -> int | None:
        """The entry that a process would take: it may be that of a dead holder; None if it has one."""
        return None if agent in self.attachments else self.free_entry()

    def blocks_of(self, agent: Any) -> list[str]:
        """What a process is inside of, by whatever handles."""
        return [handle.block for handle in self.handles if handle.agent is agent and handle.block]


@dataclass(eq=False)
class Handle:
    """One opening of it."""

    key: int
    agent: Any
    region: Shared
    writable: bool
    seen: int = 0  # the newest version that it has got
    block: str = ""  # the verb it is inside of
    pending: int = 0  # what the block will publish

    def refusal(self, verb: str) -> str | None:
        """The error of a verb that writes or locks."""
        if not self.writable:
            return "RegionRefused"
        if self.region.holder not in (None, self.agent):
            return "Timeout"
        nested = {"update", "loan"}.intersection(self.region.blocks_of(self.agent))
        return "MisuseError" if nested and verb != "lock" else None


class Sharing(RuleBasedStateMachine):
    """Verbs in any order."""

    staff: Staff

    def __init__(self) -> None:
        super().__init__()
        self.agents: list[Any] = []
        self.spare: list[Any] = []
        self.local = Local()
        self.named: Shared | None = None
        self.handles: list[Handle] = []
        self.count = 0

    @initialize(
        furnished=st.booleans(), schema=st.sampled_from([Record, Record, Big]), slots=st.sampled_from([1, 2, 3, 5])
    )
    def gather(self, furnished: bool, schema: type, slots: int) -> None:
        """Have everybody there; and a region that all have open, so that more comes of the first steps."""
        children = self.staff.complete()
        self.agents = [self.local, *children[:CHILDREN]]
        self.spare = children[CHILDREN:]
        for who in range(len(self.agents)) if furnished else ():
            self.enter_region(who, "open", schema, slots)

    def teardown(self) -> None:
        self.local("clear")
        for remote in list(self.staff.all):
            if remote.fit:
                assert remote("clear") is None
            else:
                self.staff.kill(remote)

    def next_number(self) -> int:
        self.count += 1
        return self.count

    def living(self) -> Shared | None:
        return self.named if self.named is not None and self.named.handles else None

    # ---- rules: handles ----

    @rule(
        who=st.integers(0, CHILDREN),
        how=st.sampled_from(["create", "open", "attach", "readonly"]),
        schema=st.sampled_from([Record, Record, Big]),
        slots=st.sampled_from([1, 2, 3, 5]),
    )
    @precondition(lambda self: len(self.handles) < 8)
    def open(self, who: int, how: str, schema: type, slots: int) -> None:
        self.enter_region(who, how, schema, slots)

    def enter_region(self, who: int, how: str, schema: type, slots: int) -> None:
        region, agent, key = self.living(), self.agents[who], self.next_number()
        expected = None
        if region is None:
            if how in ("attach", "readonly"):
                expected = "RegionNotFound"
            else:
                region = self.named = Shared(schema, slots)
        elif how == "create":
            expected = "RegionExists"
        elif region.schema is not schema:
            expected = "LayoutMismatch"
        # who is let in before being sent away has a place for a moment, perhaps a dead holder's
        if region is not None and expected == "LayoutMismatch" and how != "readonly":
            region.let_in(agent)
        assert agent("open", key, how, schema, slots) == expected
        if expected is None and region is not None:
            writable = how != "readonly"
            entry = region.let_in(agent) if writable else None
            if entry is not None:
                region.attachments[agent] = Attachment(entry)
            handle = Handle(key, agent, region, writable)
            region.handles.append(handle)
            self.handles.append(handle)

    def pick(self, which: int) -> Handle:
        return self.handles[which % len(self.handles)]

    @rule(which=st.integers(0, 7))
    @precondition(lambda self: self.handles)
    def close(self, which: int) -> None:
        handle = self.pick(which)
        expected = "MisuseError" if handle.block else None
        assert handle.agent("close", handle.key) == expected
        if expected is None:
            self.forget(handle)

    def forget(self, handle: Handle) -> None:
        region, agent = handle.region, handle.agent
        self.handles.remove(handle)
        region.handles.remove(handle)
        if not any(each.writable and each.agent is agent for each in region.handles):
            region.attachments.pop(agent, None)

    @rule(who=st.integers(0, CHILDREN))
    def unlink(self, who: int) -> None:
        found = self.agents[who]("unlink")
        if self.living() is not None:
            assert found is None
        else:  # on some systems the killed leave a file behind, which this removes
            assert found in (None, "RegionNotFound")
        self.named = None

    # ---- rules: writing ----

    @rule(which=st.integers(0, 7))
    @precondition(lambda self: self.handles)
    def write(self, which: int) -> None:
        handle, number = self.pick(which), self.next_number()
        expected = handle.refusal("write")
        assert handle.agent("write", handle.key, number) == expected
        if expected is None:
            self.take_and_give_back(handle)
            handle.region.publish(handle.agent, number)

    def take_and_give_back(self, handle: Handle) -> None:
        if handle.region.holder is None:  # else this process has it
            handle.region.find_death()
            handle.region.dirty = False

    @rule(which=st.integers(0, 7), verb=st.sampled_from(["update", "loan"]), raises=st.booleans())
    @precondition(lambda self: self.handles)
    def change(self, which: int, verb: str, raises: bool) -> None:
        handle, number = self.pick(which), self.next_number()
        refusal = handle.refusal(verb)
        expected = refusal or (handle.region.number if verb == "update" else None)
        assert handle.agent("change", handle.key, verb, number, raises) == expected
        if refusal is None:
            self.take_and_give_back(handle)
            if not raises:
                handle.region.publish(handle.agent, number)

    @rule(which=st.integers(0, 7), verb=st.sampled_from(["update", "loan", "lock"]))
    @precondition(lambda self: any(not handle.block for handle in self.handles))
    def enter(self, which: int, verb: str) -> None:
        """Begin a block, and go on with other things meanwhile."""
        idle = [handle for handle in self.handles if not handle.block]
        self.begin(idle[which % len(idle)], verb)

    def begin(self, handle: Handle, verb: str) -> None:
        number = self.next_number()
        refusal = handle.refusal(verb)
        expected = refusal or (handle.region.number if verb == "update" else None)
        assert handle.agent("enter", handle.key, verb, number) == expected
        if refusal is None:
            handle.region.find_death()
            handle.region.holder = handle.agent
            handle.block, handle.pending = verb, number

    @rule(which=st.integers(0, 7), raises=st.booleans())
    @precondition(lambda self: any(handle.block for handle in self.handles))
    def leave(self, which: int, raises: bool) -> None:
        busy = [handle for handle in self.handles if handle.block]
        handle = busy[which % len(busy)]
        assert handle.agent("leave", handle.key, raises) is None
        region, verb, handle.block = handle.region, handle.block, ""
        if verb != "lock" and not raises:
            region.publish(handle.agent, handle.pending)
        if region.blocks_of(handle.agent):
            return  # by another handle, whose end gives the lock back
        # under a lock that ends in an error, what it guards may still not be in order
        region.dirty = region.dirty and verb == "lock" and raises
        region.holder = None

    # ---- rules: reading ----

    @rule(which=st.integers(0, 7), verb=st.sampled_from(["read", "read_into"]))
    @precondition(lambda self: self.handles)
    def read(self, which: int, verb: str) -> None:
        handle = self.pick(which)
        region = handle.region
        expected = (region.number, region.version) if region.version else "Empty"
        assert handle.agent(verb, handle.key) == expected
        handle.seen = region.version

    @rule(which=st.integers(0, 7), after=st.none() | st.integers(0, 5))
    @precondition(lambda self: self.handles)
    def wait(self, which: int, after: int | None) -> None:
        handle = self.pick(which)
        region = handle.region
        news = region.version > (handle.seen if after is None else after)
        assert handle.agent("wait", handle.key, after) == ((region.number, region.version) if news else "Timeout")
        if news:
            handle.seen = region.version

    # ---- rules: death ----

    @rule(who=st.integers(1, CHILDREN))
    @precondition(lambda self: self.spare)
    def kill(self, who: int) -> None:
        """Kill a child; another takes its place."""
        self.replace(who)

    @rule(which=st.integers(0, 7), verb=st.sampled_from(["update", "loan", "lock"]), rejoins=st.booleans())
    @precondition(lambda self: self.spare and any(handle.agent is not self.local for handle in self.handles))
    def kill_inside(self, which: int, verb: str, rejoins: bool) -> None:
        """Kill a child inside a block; whoever takes its place may join in at once."""
        handles = [handle for handle in self.handles if handle.agent is not self.local]
        handle = handles[which % len(handles)]
        if not handle.block:
            self.begin(handle, verb)
        who = self.agents.index(handle.agent)
        self.replace(who)
        if rejoins:
            self.enter_region(who, "attach", handle.region.schema, 1)

    def handles_of(self, agent: Any) -> list[Handle]:
        return [handle for handle in self.handles if handle.agent is agent]

    def replace(self, who: int) -> None:
        remote = self.agents[who]
        self.staff.kill(remote)
        self.agents[who] = self.spare.pop()
        for handle in self.handles_of(remote):
            region = handle.region
            if region.holder is remote:
                self.staff.killed_inside += 1
                region.holder, region.holder_died = None, True
            self.forget(handle)

    # ---- what holds at any time ----

    @invariant()
    def everybody_sees_the_same(self) -> None:
        for handle in self.handles:
            region = handle.region
            writers, readers = (
                sorted(agent.pid for agent, each in region.attachments.items() if each.has_written is wrote)
                for wrote in (True, False)
            )
            holder = region.holder.pid if region.holder else None
            expected = (region.version, region.slots, holder, writers, readers, region.deaths)
            assert handle.agent("look", handle.key) == expected


@pytest.fixture
def staff() -> Iterator[Staff]:
    with ExitStack() as stack:
        staff = Staff()
        stack.callback(staff.dismiss)
        yield staff


@pytest.mark.filterwarnings("ignore:.* exists already, and is used as it is:typedshm.RegionWarning")
def test_regions_do_what_their_model_does(staff, thorough):
    examples = 5 if marks.WINDOWS else 2000 if thorough else 100
    rules = settings(
        max_examples=examples,
        stateful_step_count=20 if marks.WINDOWS else 50,
        deadline=None,
        derandomize=not thorough,
        database=None,
        phases=[Phase.generate] if marks.WINDOWS else list(Phase),  # to shrink an example takes processes
        print_blob=thorough,  # what it found cannot be found again otherwise
        suppress_health_check=list(HealthCheck),
    )
    machine = type("Machine", (Sharing,), {"staff": staff})
    run_state_machine_as_test(machine, settings=rules)
    print(f"{staff.killed} processes were killed, {staff.killed_inside} times inside a block")
    assert marks.WINDOWS or staff.killed_inside > 10, "hardly any writer was killed"
