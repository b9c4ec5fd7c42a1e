"""Constructors: ``__init__`` with a real signature, so that Python itself names missing and unknown arguments.

It sets all fields, one after the other; where it is called with keywords that are all right, the core does so in its
place.

A class has it on itself, unless it, or a base before its Struct, has an ``__init__`` of its own: that one has to reach
the generated one by ``super()``. So the class then gets one more base, right before its Struct, which has nothing else.
"""

import functools
import operator
from collections.abc import Mapping
from typing import Any

from typedshm.errors import FieldValueError
from typedshm.layout.layout import Layout, LayoutField


class Constructor:
    """Base of the bases that have the generated ``__init__``."""

    __slots__ = ()


def with_constructor(bases: tuple[type, ...], namespace: Mapping[str, object], meta: type) -> "tuple[type, ...]":
    """Return the bases of a new class, with one more for the generated ``__init__`` if ``super()`` is to find it there.

    Parameters
    ----------
    bases, namespace : tuple of type, mapping of str to object
        The arguments of the metaclass.
    meta : type
        The metaclass of Structs.
    """
    position = next((index for index, base in enumerate(bases) if isinstance(base, meta)), None)
    if position is None or any(issubclass(base, Constructor) for base in bases[:position]):
        return bases
    own = "__init__" in namespace or any(_init_of(base) is not object.__init__ for base in bases[:position])
    if not own or not _is_ours(bases[position]):
        return bases
    return *bases[:position], type("Constructor", (Constructor,), {"__slots__": ()}), *bases[position:]


def _init_of(cls: Any) -> Any:
    return cls.__init__


def _is_ours(struct: type) -> bool:
    """Return True if a Struct's ``__init__`` is generated, or that of ctypes, and False if a user wrote it."""
    function = _init_of(struct)
    return hasattr(function, "__typedshm__") or getattr(function, "__objclass__", None) is not None


def add_constructor(cls: Any, layout: Layout, defaults: dict[str, object], *, fields: int) -> None:
    """Give a class its ``__init__``, unless it inherits one that a user wrote and has no fields of its own.

    Parameters
    ----------
    cls : type
        The new class, with its ``_plan``.
    layout : Layout
        All its fields.
    defaults : dict of str to object
        Their defaults.
    fields : int
        How many fields are its own.
    """
    for base in cls.__bases__:
        if issubclass(base, Constructor) and not isinstance(base, type(cls)):
            base.__init__ = _constructor(cls, layout, defaults, "_rest(_self)")
            return
    if "__init__" not in cls.__dict__ and (fields or _is_ours(cls)):
        cls.__init__ = _constructor(cls, layout, defaults)
        if not any(field.count for field in layout.fields):  # or the order of setting them matters
            cls._plan.fields.set_constructor(cls.__init__, defaults)


def counted_last(layout: Layout) -> list[LayoutField]:
    """Return all fields, counted arrays last, since setting one sets its count."""
    return sorted(layout.fields, key=lambda field: bool(field.count))


class _Counted:
    """What stands for a count that was not given, as its array says how many there are."""

    def __repr__(self) -> str:
        return "<as many as there are>"


_COUNTED = _Counted()


def set_counted(struct: Any, layout: Layout, values: Mapping[str, Any]) -> None:
    """Set the counted arrays among some values, which set their counts.

    Parameters
    ----------
    struct : Struct
        Of that layout; counts that were given have been set.
    values : mapping of str to object
        Those of all its fields that are set together.

    Raises
    ------
    FieldValueError
        An array has another number of items than the count that was given, or another array with the same count.
    """
    says: dict[str, tuple[int, str]] = {}
    for field in layout.fields:
        if not field.count or field.name not in values:
            continue
        if field.count not in says and values.get(field.count, _COUNTED) is not _COUNTED:
            says[field.count] = getattr(struct, field.count), f"as {field.count} says"
        setattr(struct, field.name, values[field.name])
        found = operator.attrgetter(field.count)(struct)
        expected, why = says.setdefault(field.count, (found, f"as many as {field.name}, with the same count"))
        if found != expected:
            hint = f"; leave {field.count} out, the array sets it" if why.endswith("says") else ""
            raise FieldValueError(
                f"{type(struct).__qualname__}.{field.name}: expected {expected} items, {why}, found {found}{hint}"
            )


def _constructor(cls: Any, layout: Layout, defaults: Mapping[str, object], *more: str) -> Any:
    names = [field.name for field in layout.fields]
    counts = {field.count for field in layout.fields if field.count in names}

    def parameter(name: str) -> str:
        if name in counts:
            return f"{name}=_counted"
        return f"{name}=_defaults[{name!r}]" if name in defaults else name

    arrays = [field.name for field in layout.fields if field.count]
    lines = [f"_self.{name} = {name}" for name in names if name not in counts and name not in arrays]
    lines += [f"if {name} is not _counted: _self.{name} = {name}" for name in names if name in counts]
    if arrays:
        lines.append(
            f"_set_counted(_self, {{{', '.join(f'{name!r}: {name}' for name in (*arrays, *sorted(counts)))}}})"
        )
    parameters = ", ".join(map(parameter, names))
    body = "".join(f"    {line}\n" for line in (*lines, *more))
    rest = functools.partial(_set_rest, len(names))
    namespace: dict[str, Any] = {"_defaults": defaults, "_rest": rest, "_counted": _COUNTED}

    def set_arrays(struct: Any, values: Mapping[str, Any]) -> None:
        set_counted(struct, layout, values)

    namespace["_set_counted"] = set_arrays
    exec(f"def __init__(_self, /, *, {parameters}):\n{body}", namespace)
    function = namespace["__init__"]
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    function.__module__ = cls.__module__
    function.__typedshm__ = True
    return function


def _set_rest(known: int, struct: Any) -> None:
    """Set the defaults of fields that a subclass adds, which the ``__init__`` written for its base does not know."""
    added = struct._plan.layout.fields[known:]
    for field in counted_last(struct._plan.layout):
        if field in added and field.name in struct._plan.defaults:
            setattr(struct, field.name, struct._plan.defaults[field.name])
