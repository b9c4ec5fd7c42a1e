"""Parts of values: fields and items, such as ``pose.x``, ``path[0].x`` and, in a bare array, ``[2,3]``."""

import math
import re
from typing import Any, NamedTuple, TypeAlias

import click
import numpy as np

import typedshm
from typedshm.cli.terminal import printable

Step: TypeAlias = str | tuple[int, ...]
"""The name of a field, or the indices of an item."""

_STEP = re.compile(r"(?P<dot>\.?)(?P<name>[^\W\d]\w*)|\[\s*(?P<indices>[-+]?\d+(?:\s*,\s*[-+]?\d+)*)\s*\]")


class Part(NamedTuple):
    """A part of the values of a layout: a field, an item, or the whole."""

    field: "typedshm.LayoutField"
    """Its description; of an item its shape is what the indices have left of the field's."""
    steps: tuple[Step, ...] = ()
    """The way to it from the whole."""
    outer: "Part | None" = None
    """What it is a part of."""

    @property
    def path(self) -> str:
        """The way as it is written, safe to print; empty for the whole value."""
        return "".join(_written(step) for step in self.steps).removeprefix(".")

    @property
    def name(self) -> str:
        """The last step of the path, safe to print."""
        return _written(self.steps[-1]).removeprefix(".") if self.steps else printable(self.field.name)

    @property
    def owner(self) -> "Part":
        """The struct that a field stands in."""
        assert self.outer is not None
        return self.outer

    def at(self, step: Step) -> "Part":
        """Return the part one step further.

        Raises
        ------
        click.UsageError
            There is no such field or item; the message has what there is.
        """
        return self._field(step) if isinstance(step, str) else self._item(step)

    def __str__(self) -> str:
        """Return the path for a message."""
        return self.path or "the value"

    def _field(self, name: str) -> "Part":
        field = self.field
        if field.struct is None:
            raise click.UsageError(f"{self} has no fields, so no {printable(name)}: it is {_described(field)}")
        if field.shape:
            raise click.UsageError(
                f"{self} is an array of {printable(field.struct.name)}: expected the index of an item, as in "
                f"{self.path}[0].{printable(name)}"
            )
        for found in field.struct.fields:
            if found.name == name:
                return Part(found, (*self.steps, name), self)
        raise unknown(name, [found.name for found in field.struct.fields], f"a field of {printable(field.struct.name)}")

    def _item(self, indices: tuple[int, ...]) -> "Part":
        shape = self.field.shape
        if len(indices) > len(shape):
            found = f"{len(indices)} indices" if len(indices) > 1 else "an index"
            raise click.UsageError(
                f"{self} is {_described(self.field)}: expected {_most(len(shape))}, found {found}"
                if shape
                else f"{self} is {_described(self.field)} and no array: found {found} [{_listed(indices)}]"
            )
        whole: list[int] = []
        for axis, (index, length) in enumerate(zip(indices, shape, strict=False)):
            if not -length <= index < length:
                raise click.UsageError(f"{self}: expected an index from 0 to {length - 1}, found {index}")
            whole.append(index if axis < self.field.varying else index % length)  # -1 is the last that is used
        left = shape[len(indices) :]
        size = (self.field.end - self.field.start) // math.prod(shape[: len(indices)])
        free = max(self.field.free - len(indices), 0)
        item = self.field.changed(shape=left, size=size, count="", free=free, offset=0, data_offset=0)
        return Part(item, (*self.steps, tuple(whole)), self)


def _written(step: Step) -> str:
    return f".{printable(step)}" if isinstance(step, str) else f"[{_listed(step)}]"


def _listed(indices: tuple[int, ...]) -> str:
    return ",".join(map(str, indices))


def _most(count: int) -> str:
    return "one index" if count == 1 else f"at most {count} indices"


def _described(field: "typedshm.LayoutField") -> str:
    return type_of(field) + (f" ({printable(field.enum.name)})" if field.enum is not None else "")


def type_of(field: "typedshm.LayoutField") -> str:
    """Return the type of a field, such as ``f32[4]``, ``f32[:200, 6]`` or ``Pose``, safe to print."""
    text = printable(field.struct.name) if field.struct is not None else field.kind
    text += f"({', '.join(filter(None, (str(field.length), field.encoding)))})" if field.length else ""
    dims = [f":{dim}" if axis < field.free else str(dim) for axis, dim in enumerate(field.shape)]
    return text + (f"[{', '.join(dims)}]" if dims else "")


def unknown(name: str, names: list[str], what: str) -> click.UsageError:
    """Return the error for a name that is not there, with those that may have been meant."""
    from difflib import get_close_matches  # is heavy

    near = get_close_matches(name, names, 3) or get_close_matches(name.lower(), names, 3, 0.5)
    if near:
        hint = f"did you mean {' or '.join(map(printable, near))}?"
    else:
        hint = f"expected one of {', '.join(map(printable, names[:12]))}{', ...' if len(names) > 12 else ''}"
    return click.UsageError(f"{printable(name)} is not {what}; {hint}")


def whole(layout: "typedshm.Layout") -> Part:
    """Return the part that is the whole value: a struct, or a bare array."""
    field = layout.fields[0] if layout.fields else None
    if field is not None and layout.name == field.name == "array" and field.shape and len(layout.fields) == 1:
        return Part(field)
    return Part(typedshm.LayoutField(layout.name, "struct", 0, layout.size, struct=layout, doc=layout.doc))


def steps_of(text: str) -> tuple[Step, ...]:
    """Split a path into its steps.

    Raises
    ------
    click.UsageError
        It is not well formed.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or (step["name"] and bool(step["dot"]) != bool(at)):
            raise click.UsageError(
                f"expected a field such as pose.x or path[0].x, found {printable(repr(text))} "
                f"(from {printable(repr(text[at:]))} on)"
            )
        steps.append(step["name"] or tuple(map(int, step["indices"].split(","))))
        at = step.end()
    return tuple(steps)


def part_of(layout: "typedshm.Layout", steps: tuple[Step, ...]) -> Part:
    """Follow steps from the whole value.

    Raises
    ------
    click.UsageError
        There is no such part in the layout.
    """
    part = whole(layout)
    if part.field.shape and steps[:1] == (part.field.name,):  # what a bare array is called where it needs a name
        steps = steps[1:]
    for step in steps:
        part = part.at(step)
    return part


def value_at(value: Any, steps: tuple[Step, ...]) -> Any:
    """Return what a value holds in a part of its layout.

    Where memory holds what is no value of the field, it is the number of the enum, the bytes of the text, or NaT.
    """
    is_struct = isinstance(value, typedshm.Struct)
    if is_struct and not (steps and isinstance(steps[0], str)) and whole(type(value).layout).field.shape:
        value = held(value, "array")  # a Struct that looks like a bare array
    for step in steps:
        if isinstance(value, typedshm.Struct):
            value = held(value, str(step))
        elif isinstance(value, Uncounted):
            raise click.UsageError(f"no item can be told: {value.words}")
        else:
            value = _item_of(value, step)
    return value


def _item_of(value: Any, step: Step) -> Any:
    try:
        return value[step]
    except IndexError:
        used = " x ".join(map(str, np.shape(value)[: len(step)]))
        raise click.UsageError(
            f"expected the index of one of the {used} items that are used, found [{_listed(tuple(step))}]"  # type: ignore[arg-type]
        ) from None


class Uncounted(np.ndarray[Any, np.dtype[Any]]):
    """All items of an array whose number of used items is out of range."""

    words: str = ""
    """What that number is."""


def held(struct: "typedshm.Struct", name: str) -> Any:
    """Return the value of a field, or what memory holds where that is none of its values."""
    try:
        return getattr(struct, name)
    except typedshm.FieldValueError:
        (field,) = (field for field in type(struct).layout.fields if field.name == name)
        data = typedshm.raw(struct, name)
        if field.varying:
            return _uncounted(field, data)
        if field.enum is not None:
            return int.from_bytes(data, field.byte_order, signed=field.kind.startswith("i"))
        if field.kind.startswith(("timestamp", "duration")):
            return time_of_bytes(field, data)
        return data


def _uncounted(field: "typedshm.LayoutField", data: bytes) -> Uncounted:
    every = np.frombuffer(data, field.item_dtype, offset=field.start - field.offset).reshape(field.shape)
    found = every.view(Uncounted)
    if field.count:
        found.words = f"{field.count} is out of range (0 to {field.shape[0]})"
        return found
    order = "<" if field.byte_order == "little" else ">"
    used = np.frombuffer(data, f"{order}u4", field.free).tolist()
    least, most = " x ".join("0" * field.free), " x ".join(map(str, field.shape[: field.free]))
    found.words = f"{' x '.join(map(str, used))} items are out of range ({least} to {most})"
    return found


def time_of_bytes(field: "typedshm.LayoutField", data: bytes) -> "np.datetime64 | np.timedelta64":
    """Return the time or duration that bytes of 64 bits are: those of 32 bits are all in range."""
    count = int.from_bytes(data, field.byte_order, signed=True)
    unit: Any = ([part for part in ("us", "ms", "s") if field.kind.endswith(f"_{part}")] or ["ns"])[0]
    return (np.datetime64 if field.kind.startswith("timestamp") else np.timedelta64)(count, unit)
