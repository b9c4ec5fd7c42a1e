"""Sources: one memory of a program, as its document describes it."""

from collections.abc import Callable, Mapping
from typing import Any

from typedshm.errors import DocumentError, SchemaError, quoted
from typedshm.foreign.addresses import Address, address_of, check_length
from typedshm.foreign.conditions import Condition
from typedshm.foreign.document_words import RULES
from typedshm.foreign.head import Head, field_at, place_of
from typedshm.foreign.numbers import Number
from typedshm.foreign.parts import Part
from typedshm.foreign.rules.registry import rule_from
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import Frozen, frozen
from typedshm.layout.layout import Layout
from typedshm.layout.outline import SYSTEM, newest


@frozen
class Words(Frozen):
    """A rule or a table as the document has it: its kind, and what it is told."""

    __match_args__ = ("kind", "parameters")
    kind: str
    """Which one it is."""
    parameters: tuple[tuple[str, Any], ...]
    """Names and values, in the order of the document."""

    def get(self, name: str) -> Any:
        """Return the value of a parameter, or None."""
        return dict(self.parameters).get(name)


@frozen
class Event(Frozen):
    """An event of Windows that the program sets with every update."""

    __match_args__ = ("name", "shared")
    name: str
    """Its name."""
    shared: bool
    """Whether waiting for it takes it away from other programs."""


@frozen
class Newest(Frozen):
    """How a head says that it is newer than its layout."""

    __match_args__ = ("field", "at_most")
    field: str
    """The path of its version."""
    at_most: int
    """The newest version that the layout is known to be of."""


@frozen
class Alternative(Frozen):
    """One of the layouts that the head of a source can have."""

    __match_args__ = ("layout", "abi", "systems", "when", "newest")
    layout: Layout
    """The bytes of the head."""
    abi: str = ""
    """The name of the sizes of its types; empty if it has none."""
    systems: tuple[str, ...] = ()
    """The systems where it is found; empty if everywhere."""
    when: tuple[Condition, ...] = ()
    """All have to hold."""
    newest: Newest | None = None
    """How a head says that it is newer."""

    def is_exceeded(self, head: Head) -> bool:
        """Return True if a head says that it is newer than this layout."""
        value = None if self.newest is None else head.value(self.newest.field)
        return self.newest is not None and isinstance(value, int | float) and value > self.newest.at_most

    def is_newer(self, head: Head) -> bool:
        """Return True if a head exceeds this layout, and what else is asked of its fields holds, as a signature does.

        Of another program's memory any number may stand where the version would be.
        """
        own = None if self.newest is None else self.newest.field
        others = (condition for condition in self.when if condition.field and condition.field != own)
        return self.is_exceeded(head) and all(condition.holds(head, 0) for condition in others)


@frozen
class Source(Frozen):
    """One memory of a program: its names, its rule, and what stands in it.

    Attributes
    ----------
    name : str
        An identifier: what ``read("physics")`` is told.
    names : tuple of (str, tuple of str)
        Of each system the names to be tried, in their order; see :meth:`addresses`.
    rule_words : Words
        The rule of reading, see :attr:`rule`.
    idle : float or None
        Seconds after which a tick that stands still says that the publisher is dead; None: never.
    event : Event or None
        What may be waited for.
    dead, disabled : tuple of Condition
        If any holds, the publisher has ended, or is not told to publish.
    layouts : tuple of Alternative
        Those of the head, the newest last.
    parts : tuple of Part
        What stands beside the head.
    table : Words or None
        The table that the program makes at run time.
    doc : str
        A description, for people.
    """

    __match_args__ = (
        *("name", "names", "rule_words", "layouts", "idle", "event", "dead", "disabled", "parts", "table", "doc"),
    )
    name: str
    """An identifier."""
    names: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each system the names to be tried."""
    rule_words: Words
    """The rule of reading."""
    layouts: tuple[Alternative, ...]
    """Those of the head, the newest last."""
    idle: float | None = None
    """Seconds after which a tick that stands still says that the publisher is dead."""
    event: Event | None = None
    """What may be waited for."""
    dead: tuple[Condition, ...] = ()
    """If any holds, the publisher has ended."""
    disabled: tuple[Condition, ...] = ()
    """If any holds, the publisher is not told to publish."""
    parts: tuple[Part, ...] = ()
    """What stands beside the head."""
    table: Words | None = None
    """The table that the program makes at run time."""
    doc: str = ""
    """A description."""

    @property
    def rule(self) -> Rule:
        """The rule of reading."""
        return rule_from(self.rule_words.kind, dict(self.rule_words.parameters))

    def addresses(self, *, pid: int | None = None, unit: int = 0, system: str = SYSTEM) -> list[Address]:
        """Return where the memory may be on this system, in the order of trying.

        Parameters
        ----------
        pid : int, optional
            The publisher's process, where names have it in them.
        unit : int
            The number of one of several such memories, where names have it in them.
        system : str
            ``"linux"``, ``"windows"`` or ``"darwin"``. Default: this one.

        Raises
        ------
        ValueError
            All names have a process in them, and none is given.
        """
        templates = dict(self.names).get(system, ())
        found = [address_of(template, pid, unit) for template in templates]
        addresses = [address for address in found if address is not None]
        if templates and not addresses:
            raise ValueError(f"pid: expected the number of the publisher's process, which {templates[0]!r} has in it")
        return list(dict.fromkeys(addresses))

    def choose(self, head: bytes | memoryview, size: int, *, abi: str | None = None) -> tuple[Alternative | None, bool]:
        """Return the layout of a head, and whether the head is newer, so that the layout is that of its beginning.

        Parameters
        ----------
        head : bytes or memoryview
            A private copy of the first bytes, at best as many as the largest layout has.
        size : int
            Of the whole memory.
        abi : str, optional
            One of those of the layouts. Default: this system's.

        Returns
        -------
        tuple of (Alternative or None, bool)
            The first layout whose conditions hold. If none does and the version is newer than the last one's, while
            its other fields are as they should be, that one and True. None if it is nothing known, as where all bytes
            are zero.
        """
        layouts = self.variants(abi)
        for layout in layouts:
            copy = Head(layout.layout, head)
            if layout.layout.size <= size and all(condition.holds(copy, size) for condition in layout.when):
                return layout, layout.is_exceeded(copy)
        last = layouts[-1]
        if last.layout.size <= size and last.is_newer(Head(last.layout, head)):
            return last, True
        return None, False

    def variants(self, abi: str | None = None) -> tuple[Alternative, ...]:
        """Return the layouts of an ABI, by default this system's, the newest last."""
        last = newest(self.layouts, abi)
        if abi is not None:
            return tuple(layout for layout in self.layouts if layout.abi == abi)
        here = tuple(layout for layout in self.layouts if not layout.systems or SYSTEM in layout.systems)
        return here if last in here else self.layouts

    def is_dead(self, head: bytes | memoryview, size: int, *, abi: str | None = None) -> bool:
        """Return True if a head says that its publisher has ended; whatever layout it has."""
        return self._any(self.dead, head, size, abi)

    def is_disabled(self, head: bytes | memoryview, size: int, *, abi: str | None = None) -> bool:
        """Return True if a head says that its publisher does not publish; whatever layout it has."""
        return self._any(self.disabled, head, size, abi)

    def _any(self, conditions: tuple[Condition, ...], head: bytes | memoryview, size: int, abi: str | None) -> bool:
        chosen, _ = self.choose(head, size, abi=abi)
        layouts = (chosen,) if chosen is not None else self.variants(abi)[::-1]
        for condition in conditions:
            for layout in layouts:
                if condition.fits(layout.layout):
                    if condition.holds(Head(layout.layout, head), size):
                        return True
                    break
        return False

    def parts_of(self, head: Head, size: int) -> tuple[Part, ...]:
        """Return the parts that a head says there are, at most one of each name."""
        found: dict[str, Part] = {}
        for part in self.parts:
            if part.name not in found and all(condition.holds(head, size) for condition in part.when):
                found[part.name] = part
        return tuple(found.values())


def checked(source: Source) -> Source:
    """Return the source with the ends of parts in the place of their names, or refuse it.

    Raises
    ------
    SchemaError
        It names a field that no layout has, or two things have one name.
    """
    ends: dict[str, Number] = {}
    parts: list[Part] = []
    for position, part in enumerate(source.parts):
        where = f"parts[{position}]"
        try:
            offset, stride, count, length = (
                None if number is None else number.resolved(ends)
                for number in (part.offset, part.stride, part.count, part.length)
            )
        except SchemaError as error:
            raise SchemaError(f"{where}: {error}") from None
        part = part.changed(offset=offset, stride=stride, count=count, length=length)
        if part.extent is not None:
            ends[part.name] = Number("add", (part.offset, part.extent))
        parts.append(part)
    source = source.changed(parts=tuple(parts))
    _check_names(source)
    _check_fields(source)
    return source


def _check_names(source: Source) -> None:
    for system, templates in source.names:
        for position, template in enumerate(templates):
            try:
                check_length(template, system)
            except DocumentError as error:
                raise SchemaError(f"names.{system}[{position}]: {error}") from None
    for position, part in enumerate(source.parts):
        before = [other for other in source.parts[:position] if other.name == part.name]
        if any(not other.when for other in before):
            raise SchemaError(f"parts[{position}]: {part.name} is taken by an earlier part, which has no conditions")
        for layout in source.layouts:
            if any(field.name == part.name for field in layout.layout.fields):
                raise SchemaError(f"parts[{position}]: {part.name} is a field of {layout.layout.name} already")


def _check_fields(source: Source) -> None:
    """Refuse what no layout of the source has, and conditions of a layout that it lacks itself."""
    layouts = [alternative.layout for alternative in source.layouts]
    for position, alternative in enumerate(source.layouts):
        where = f"layouts[{position}]"
        for condition in alternative.when:
            _check(f"{where}.when", [alternative.layout], condition.check)
        if alternative.newest is not None:
            _check_number(f"{where}.newest", [alternative.layout], alternative.newest.field)
    for name, conditions in (("dead", source.dead), ("disabled", source.disabled)):
        for condition in conditions:
            _check(name, layouts, condition.check)
    for position, part in enumerate(source.parts):
        where = f"parts[{position}]"
        for condition in part.when:
            _check(f"{where}.when", layouts, condition.check)
        numbers = {"offset": part.offset, "stride": part.stride, "count": part.count, "length": part.length}
        for name, number in numbers.items():
            if number is not None:
                _check(f"{where}.{name}", layouts, number.check)
        if part.once_per:
            _check_number(f"{where}.once_per", layouts, part.once_per)
    _check_rule(source.rule_words, layouts)


def _check(where: str, layouts: list[Layout], check: Callable[[Layout], None]) -> None:
    """Refuse what every layout refuses, for the reason of the last."""
    reason: SchemaError | None = None
    for layout in layouts:
        try:
            check(layout)
        except SchemaError as error:
            reason = error
        else:
            return
    raise SchemaError(f"{where}: {reason}")


def _check_number(where: str, layouts: list[Layout], path: str) -> None:
    def check(layout: Layout) -> None:
        if not place_of(layout, path).is_number:
            raise SchemaError(f"expected a number, and {quoted(path)} is none")

    _check(where, layouts, check)


def _check_rule(words: Words, layouts: list[Layout]) -> None:
    types = RULES[words.kind]
    for name, value in words.parameters:
        where = f"rule.{name}"
        match types[name][0]:
            case "field":
                _check_number(where, layouts, value)
            case "fields":
                for path in value:
                    _check_number(where, layouts, path)
            case "array":
                _check(where, layouts, _array_check(value))
            case "item" if value:
                path = f"{words.get('buffers')}[0].{value}"
                _check_number(where, layouts, path)
            case _:
                pass
    try:
        rule = rule_from(words.kind, dict(words.parameters))
    except DocumentError as error:
        raise SchemaError(str(error)) from error
    for layout in layouts:  # whichever a head is of, the rule has to fit
        try:
            rule.check(layout)
        except SchemaError as error:
            raise SchemaError(f"rule: {error}") from None


def _array_check(path: str) -> Callable[[Layout], None]:
    def check(layout: Layout) -> None:
        _, field, is_item = field_at(layout, path)
        if not field.shape or is_item:
            raise SchemaError(f"expected an array, and {quoted(path)} is {field.type_name}")

    return check


def by_name(sources: tuple[Source, ...], name: str) -> Source:
    """Return a source by its name.

    Raises
    ------
    DocumentError
        There is none; the message lists them.
    """
    found: Mapping[str, Source] = {source.name: source for source in sources}
    if name not in found:
        raise DocumentError(f"expected one of the sources {', '.join(found)}, found {quoted(name)}")
    return found[name]
