"""Enforcement of constraints where a field of a Struct is set.

Only classes with constraints have an ``__setattr__`` of their own, so that the fields of all others stay C alone.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldValueError, quoted
from typedshm.layout.constraints import Constraint, Rules
from typedshm.layout.kinds import KINDS
from typedshm.struct.refusal import where_of
from typedshm.struct.times import DECODERS, encode_time


def enforce(cls: type, rules: Mapping[str, Rules]) -> None:
    """Make a Struct class refuse values that break constraints."""
    structure: Any = cls
    current = structure.__setattr__
    if not any(rule.constraints for rule in rules.values()) or hasattr(current, "_checks"):
        return  # a base's, or one that has travelled with the class
    structure.__setattr__ = set_checked if current is object.__setattr__ else _checked(current)


def set_checked(self: Any, name: str, value: object) -> None:
    """Set an attribute of a Struct after its constraints have been checked."""
    _check(self, name, value, object.__setattr__)
    object.__setattr__(self, name, value)


def _checked(plain: Callable[[Any, str, object], None]) -> Callable[[Any, str, object], None]:
    """Return the user's own ``__setattr__`` with the check before it."""

    def set_checked(self: Any, name: str, value: object) -> None:
        _check(self, name, value, plain)
        plain(self, name, value)

    cast("Any", set_checked)._checks = True
    return set_checked


cast("Any", set_checked)._checks = True


def check_of(struct: Any) -> Callable[[Any], None] | None:
    """Return a function that raises if an instance breaks a constraint, or None if there are none.

    Its bytes may have come from elsewhere: from ``zero()``, or through an array of Structs.
    """
    plan = struct._plan
    own = {name: rule for name, rule in plan.rules.items() if rule.constraints}
    nested = {name: inner for name, cls in plan.structs.items() if (inner := check_of(cls)) is not None}
    if not own and not nested:
        return None
    arrays = {field.name: plan.structs[field.name] for field in plan.layout.fields if field.struct and field.shape}

    def check(instance: Any) -> None:
        for name, rule in own.items():
            value = getattr(instance, name)
            broken = _broken(rule, getattr(plan.plain, name), value)
            if broken is not None:
                raise _refused(getattr(plan.plain, name), broken, value)
        for name, inner in nested.items():
            value = getattr(instance, name)
            for item in _items(arrays[name], value) if name in arrays else (value,):
                inner(item)

    return check


def _items(struct: Any, array: Any) -> Iterator[Any]:
    data = np.asarray(array).tobytes()
    from_buffer_copy: Callable[..., Any] = cast("Any", type(struct)).from_buffer_copy
    return (from_buffer_copy(struct, data, at) for at in range(0, len(data), struct.layout.size))


def _refused(field: _native.Field, broken: Constraint, value: object) -> FieldValueError:
    return FieldValueError(f"{where_of(field)}: expected {broken}, found {quoted(value)}")


def _check(instance: Any, name: str, value: object, plain: Callable[[Any, str, object], None]) -> None:
    cls = instance.__class__
    rule: Rules | None = cls._plan.rules.get(name)
    if rule is None or not rule.constraints:
        return
    try:
        broken = _broken(rule, getattr(cls, name), value)
    except (TypeError, ValueError):
        plain(cls._plan.plain.zero(), name, value)  # refuses a value of another type in its own words
        raise
    if broken is not None:
        raise _refused(getattr(cls, name), broken, value)


def _as_read(field: _native.Field, value: object) -> object:
    """Return a time as the field would read it, since two types are accepted; any other value unchanged."""
    time: object = value
    if not isinstance(value, datetime | timedelta | np.datetime64 | np.timedelta64):
        return value
    return DECODERS[field.spec.face](field, encode_time(field, time))


def _broken(rule: Rules, field: _native.Field, value: object) -> Constraint | None:
    """Return the first constraint that a value breaks; what is missing breaks none."""
    if field.spec.missing is not None and (value is None or value != value):
        return None
    return rule.broken(_as_read(field, value) if KINDS.get(field.spec.kind, KINDS["u8"]).unit else value)
