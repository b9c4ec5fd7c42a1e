"""Comparison: what changed from one layout to another, and what programs may do with regions of the other."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal, NoReturn, TypeAlias

from typedshm.frozen import Frozen, frozen
from typedshm.layout.enumeration import Enumeration
from typedshm.layout.identity import same
from typedshm.layout.kinds import STRUCT
from typedshm.layout.layout import Layout, LayoutField

ChangeKind: TypeAlias = Literal[
    "added",
    "removed",
    "renamed",
    "moved",
    "retyped",
    "unit",
    "size",
    "members",
    "face",
    "doc",
    "name",
    "errors",
    "missing",
    "count",
]

#: What the identity does not cover: the bytes mean the same nevertheless.
_WORDS_ONLY = {"members", "face", "doc", "name", "errors", "missing", "count"}

_MOST_CHANGES = 8
_MOST_REASONS = 3
_WIDTH = 80


@frozen
class LayoutChange(Frozen):
    """One difference between two layouts.

    Attributes
    ----------
    kind : str
        ``"added"``, ``"removed"``; ``"renamed"``: looks like the same field under another name; ``"moved"``: another
        offset; ``"retyped"``: another kind, shape, length or byte order; ``"unit"``; ``"size"`` of a struct;
        ``"members"`` of an enum; ``"face"``: another Python type; ``"doc"``; ``"name"`` of a struct; ``"errors"``: what
        becomes of text that does not decode; ``"missing"``: the number that says "none"; ``"count"``: the field that
        says how many items are used.
    field : str
        The field's path, such as ``pose.x`` or ``path[].x``; empty for the whole layout.
    old, new : str
        What is different, in words; empty where there is nothing.
    """

    __match_args__ = ("kind", "field", "old", "new")
    kind: ChangeKind
    """What kind of difference."""
    field: str
    """The field's path, such as ``pose.x`` or ``path[].x``; empty for the whole layout."""
    old: str
    """What is different in the old layout; empty where there is nothing."""
    new: str
    """What is different in the new layout; empty where there is nothing."""

    @property
    def counts(self) -> bool:
        """True if the identity covers it: the bytes mean something else."""
        return self.kind not in _WORDS_ONLY

    def __str__(self) -> str:
        """Return the change in a line: ``speed: retyped, f32 -> f64``."""
        return f"{self.field or 'the layout'}: {self.kind}, {' -> '.join(filter(None, (self.old, self.new)))}"


@frozen
class LayoutAccess(Frozen):
    """What a program with one layout may do with a region of another.

    Attributes
    ----------
    read, write : bool
        What ``attach()`` lets it do. A program that may not even read gets a LayoutMismatch.
    why : tuple of str
        The reasons, and what to beware of.
    """

    __match_args__ = ("read", "write", "why")
    read: bool
    """Whether it may read."""
    write: bool
    """Whether it may write."""
    why: tuple[str, ...]
    """The reasons, and what to beware of."""

    def __bool__(self) -> NoReturn:
        """Refuse: the answer has two parts."""
        raise TypeError("the truth of a LayoutAccess is ambiguous; use .read or .write")

    def __str__(self) -> str:
        """Return it in words: ``may read, not write``."""
        return "may read and write" if self.write else "may read, not write" if self.read else "may not attach"


@frozen
class Comparison(Frozen):
    """The differences between two layouts, and what they mean; :func:`typedshm.compare` returns it.

    Attributes
    ----------
    old, new : Layout
        What was compared.
    same : bool
        True if the bytes mean the same, so that either may stand for the other.
    changes : tuple of LayoutChange
        Field by field. Where `same` is True, only what the identity does not cover.
    old_on_new, new_on_old : LayoutAccess
        What a program with the old layout may do with a region of the new one, and the other way round.
    """

    __match_args__ = ("old", "new")
    old: Layout
    """The first layout."""
    new: Layout
    """The second layout."""

    @property
    def same(self) -> bool:
        """True if the bytes mean the same, so that either layout may stand for the other."""
        return self.old.id == self.new.id

    @cached_property
    def changes(self) -> tuple[LayoutChange, ...]:
        """All differences, field by field."""
        return tuple(_changes(self.old, self.new, ""))

    @cached_property
    def old_on_new(self) -> LayoutAccess:
        """What a program with the old layout may do with a region of the new one."""
        return _access(self.old, self.new)

    @cached_property
    def new_on_old(self) -> LayoutAccess:
        """What a program with the new layout may do with a region of the old one."""
        return _access(self.new, self.old)

    def __bool__(self) -> NoReturn:
        """Refuse: True could mean that they are equal, or that they differ."""
        raise TypeError("the truth of a Comparison is ambiguous; use .same, .old_on_new.read or .new_on_old.read")

    def __repr__(self) -> str:
        """Return the differences and what they mean, shortened to fit a screen."""
        names = dict.fromkeys(_printable(layout.name) for layout in (self.old, self.new))
        count = f"{len(self.changes)} changes" if len(self.changes) != 1 else "1 change"
        lines = [f"{' -> '.join(names)}: {'the same bytes' if self.same else 'other bytes'}, {count}"]
        lines += _few((f"  {change}" for change in self.changes), _MOST_CHANGES)
        for program, region, access in (("old", "new", self.old_on_new), ("new", "old", self.new_on_old)):
            lines.append(f"A program with the {program} layout {access} regions of the {region} one:")
            lines += _few((f"  {reason}" for reason in access.why), _MOST_REASONS)
        return "\n".join(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in lines)

    __str__ = __repr__


def _few(lines: Iterable[str], most: int) -> list[str]:
    every = list(lines)
    return every if len(every) <= most + 1 else [*every[:most], f"  … {len(every) - most} more"]


# ---- differences ---------------------------------------------------------------------------------------------------


def _changes(old: Layout, new: Layout, path: str) -> Iterator[LayoutChange]:
    """Yield the differences of two structs and of their fields."""
    theirs = {field.name: field for field in new.fields}
    renamed = _renamed(old, new)
    for field in old.fields:
        other = theirs.get(field.name) or renamed.get(field.name)
        if other is None:
            yield LayoutChange("removed", path + field.name, str(field), "")
        else:
            yield from _changes_of_field(field, other, path + field.name)
    known = {field.name for field in old.fields} | {field.name for field in renamed.values()}
    for field in new.fields:
        if field.name not in known:
            yield LayoutChange("added", path + field.name, "", str(field))
    differs: list[tuple[ChangeKind, object, object]] = [
        ("name", old.name, new.name),
        ("doc", old.doc, new.doc),
        ("size", f"{old.size} bytes", f"{new.size} bytes"),
    ]
    yield from _different(differs, path.rstrip("."))


def _renamed(old: Layout, new: Layout) -> dict[str, LayoutField]:
    """Return the fields of which only the name is another, by their old names."""
    names = {field.name for field in old.fields}
    places = {field.offset: field for field in new.fields if field.name not in names}
    kept = {field.name for field in new.fields}
    return {
        field.name: places[field.offset]
        for field in old.fields
        if field.name not in kept
        and field.offset in places
        and same(field, places[field.offset].changed(name=field.name))
    }


def _changes_of_field(old: LayoutField, new: LayoutField, path: str) -> Iterator[LayoutChange]:
    differs: list[tuple[ChangeKind, object, object]] = [
        ("renamed", old.name, new.name),
        ("moved", _place(old), _place(new)),
        ("unit", old.unit, new.unit),
        ("members", old.enum, new.enum),
        ("face", old.face, new.face),
        ("errors", old.errors, new.errors),
        ("missing", _shown(old.missing), _shown(new.missing)),
        ("count", old.count, new.count),
        ("doc", old.doc, new.doc),
    ]
    if _type(old) != _type(new):
        differs.insert(2, ("retyped", old.type_name, new.type_name))
    yield from _different(differs, path)
    if old.struct is not None and new.struct is not None:
        yield from _changes(old.struct, new.struct, f"{path}[]." if old.shape else f"{path}.")


def _different(pairs: Iterable[tuple[ChangeKind, object, object]], path: str) -> Iterator[LayoutChange]:
    for kind, old, new in pairs:
        if old != new:
            yield LayoutChange(kind, path, _words(old), _words(new))


def _type(field: LayoutField) -> tuple[object, ...]:
    return field.kind, field.length, field.shape, field.free, field.byte_order, field.encoding


def _place(field: LayoutField) -> str:
    items = f", items at {field.data_offset}" if field.free else ""
    return f"at {field.offset}{items}"


def _shown(missing: float | None) -> str:
    return "" if missing is None else str(missing)


def _words(value: object) -> str:
    if isinstance(value, Enumeration):
        members = ", ".join(f"{name}={number}" for name, number in value.members)
        return _printable(f"{'open ' if value.open else ''}{value.name}({members})")
    return _printable(str(value)) if value else ""


def _printable(text: str) -> str:
    return text if text.isprintable() else repr(text)


# ---- what programs may do ------------------------------------------------------------------------------------------


def _access(program: Layout, region: Layout) -> LayoutAccess:
    """Tell what `attach()` lets a program do, by the rules of :mod:`typedshm.sharing.joining`."""
    if program.id == region.id:
        return LayoutAccess(True, True, ("the bytes mean the same", *_warnings(program, region, writes=True)))
    changes = [change for change in _changes(program, region, "") if change.counts]
    if program.prefix_of(region):
        more = [change.field for change in changes if change.kind == "added"]
        unknown = f"knows nothing of {_listed(more)}" if more else f"has {program.size} of {region.size} bytes"
        return LayoutAccess(
            True,
            False,
            (
                "all its fields are there, unchanged and at the same offsets",
                f"only the region's own layout may write: this one {unknown}",
                *_warnings(program, region, writes=False),
            ),
        )
    # where other fields explain it, the sizes add nothing; and what the region has besides hinders no reader
    missing = [change.field for change in changes if change.kind == "removed"]
    reasons = [f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not in the region"] if missing else []
    reasons += [_reason(change) for change in changes if change.kind not in ("size", "removed", *_more(change))]
    sizes = [_reason(change) for change in changes if change.kind == "size"]
    return LayoutAccess(False, False, tuple(reasons or sizes))


def _more(change: LayoutChange) -> tuple[ChangeKind, ...]:
    return () if "." in change.field else ("added",)


def _reason(change: LayoutChange) -> str:
    field, old, new = change.field, change.old, change.new
    match change.kind:
        case "added":
            return f"{field} is in the region only, inside a struct"
        case "renamed":
            return f"{field} is not in the region; {new} is in its place, and names count"
        case "unit":
            return f"{field} has the unit {old or 'none'}, in the region {new or 'none'}"
        case "size":
            return f"{field or 'a value'} has {old}, in the region {new}"
        case _:
            return f"{field} is {old}, in the region {new}"


def _listed(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"])


def _warnings(program: Layout, region: Layout, *, writes: bool, path: str = "") -> Iterator[str]:
    """Yield what the identity does not cover: numbers that only one of the layouts has a name for."""
    theirs = {field.name: field for field in region.fields}
    for field in program.fields:
        other = theirs[field.name]
        where = path + field.name
        if field.kind == STRUCT and field.struct is not None and other.struct is not None:
            inner = f"{where}[]." if field.shape else f"{where}."
            yield from _warnings(field.struct, other.struct, writes=writes, path=inner)
        if field.enum != other.enum:
            yield from _warnings_of_enum(where, field.enum, other.enum, writes=writes)
        if field.missing != other.missing:
            yield from _warnings_of_missing(where, field.missing, other.missing)
        if field.count and not other.count:
            yield f"{where}: the others know no count, and may use all {field.shape[0]} items"
        elif other.count and not field.count:
            yield f"{where}: only as many items are used as {other.count} says"


def _warnings_of_missing(where: str, program: float | None, region: float | None) -> Iterator[str]:
    if program is not None:
        yield f"{where}: {program} says none here, and is a number in the region"
    if region is not None:
        yield f"{where}: {region} is a number here, and says none in the region"


def _warnings_of_enum(
    where: str, program: Enumeration | None, region: Enumeration | None, *, writes: bool
) -> Iterator[str]:
    mine, theirs = _named(program), _named(region)
    strange = {number: name for number, name in theirs.items() if number not in mine}
    if program is not None and strange and not program.flag and not program.open:
        yield f"{where}: it has no member for {_members(strange)}, and refuses such a field when it is read"
    unheard = {number: name for number, name in mine.items() if number not in theirs}
    if region is not None and unheard and writes and not region.flag and not region.open:
        yield f"{where}: the others have no member for {_members(unheard)}, and refuse the field if it writes that"
    other = {n: f"{name} here, {theirs[n]} in the region" for n, name in mine.items() if theirs.get(n, name) != name}
    if other:
        yield f"{where}: the same number is another member: {_members(other)}"


def _named(enum: Enumeration | None) -> dict[int, str]:
    """Return the first name of each number, which is not an alias."""
    return {number: name for name, number in reversed(enum.members)} if enum is not None else {}


def _members(names: dict[int, str]) -> str:
    return _listed([f"{number} ({_printable(name)})" for number, name in sorted(names.items())])
