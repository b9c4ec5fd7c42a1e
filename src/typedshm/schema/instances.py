"""Instances of models and dataclasses with stored values.

Validation is for what comes in from outside; what was stored comes back as it was stored. So these instances are made
as unpickling makes them: without ``__init__``, validators and ``__post_init__``, which would convert once more what
they converted when the value was made.

One thing only those hooks know: attributes that are no fields, and so are not stored, such as a private attribute that
``model_post_init`` computes. A class whose hook sets any has it called, on a copy, and an error of the hook only leaves
out those attributes. If the hook changes fields, what it derived from them would be wrong, and is left out as well.
"""

import dis
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any, cast

import numpy as np

import typedshm._native as _native

_set: Callable[[Any, str, object], None] = object.__setattr__  # also where instances are frozen or validate assignment


class Maker:
    """Makes the instances of one class.

    Attributes
    ----------
    derive : callable or None
        Sets the attributes of an instance that are no fields; it may change fields as well.
    """

    derive: Callable[[Any], object] | None

    def __init__(self, source: type[Any], names: Iterable[str]) -> None:
        self._source = source
        self._new = _allocator(source)
        self.derive = _hook_of_dataclass(source, frozenset(names))

    def make(self, fields: dict[str, Any]) -> Any:
        """Return an instance with these fields."""
        instance = self._new(self._source)
        self.fill(instance, fields)
        return instance

    def fill(self, instance: Any, fields: dict[str, Any]) -> None:
        """Set all fields of an instance."""
        _native.set_attributes(instance, fields)


class ModelMaker(Maker):
    """Makes the instances of one pydantic model."""

    def __init__(self, source: type[Any], names: Iterable[str]) -> None:
        super().__init__(source, names)
        self._extra = source.model_config.get("extra") == "allow"
        self._set_defaults: Callable[[Any, None], None] | None = None
        self.derive = None
        if source.__private_attributes__:
            # pydantic is heavy, but this class needs it anyway
            from typedshm.schema.pydantic_models import set_private_defaults

            self._set_defaults = set_private_defaults
            if source.model_post_init is not set_private_defaults:
                self.derive = lambda instance: instance.model_post_init(None)

    def make(self, fields: dict[str, Any]) -> Any:
        """Return an instance with these fields, and the defaults of private attributes."""
        instance = self._new(self._source)
        self.fill(instance, fields)
        _set(instance, "__pydantic_private__", None)
        if self._set_defaults is not None:
            self._set_defaults(instance, None)
        return instance

    def fill(self, instance: Any, fields: dict[str, Any]) -> None:
        """Set all fields of an instance."""
        _set(instance, "__dict__", fields)
        _set(instance, "__pydantic_fields_set__", set(fields))
        _set(instance, "__pydantic_extra__", {} if self._extra else None)


def _allocator(source: type[Any]) -> Callable[[type[Any]], Any]:
    """Return the ``__new__`` of the builtin that the class derives from, which is mostly object's."""
    for cls in source.__mro__:
        new = vars(cls).get("__new__")
        if isinstance(new, BuiltinFunctionType):
            return new
    return object.__new__


# ---- attributes that are no fields ---------------------------------------------------------------------------------


def _hook_of_dataclass(source: type[Any], names: frozenset[str]) -> Callable[[Any], object] | None:
    """Return a call of ``__post_init__``, if it sets attributes that are no fields and can be called."""
    hook = getattr(source, "__post_init__", None)
    fields: Mapping[str, Any] = getattr(source, "__dataclass_fields__", {})
    if hook is None or set(_attributes_set_by(source, "__post_init__", set())) <= names:
        return None
    arguments: list[Any] = []
    for field in fields.values():
        if getattr(field._field_type, "name", "") == "_FIELD_INITVAR":
            if missing(field.default):
                return None
            arguments.append(field.default)
    return lambda instance: instance.__post_init__(*arguments)


def same_value(one: Any, other: Any) -> bool:
    """Return True if two values of a field are the same; NaN is the same as NaN."""
    if one is other or isinstance(one, float):
        return one is other or repr(one) == repr(other)
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(cast("Any", one), other, equal_nan=cast("Any", one).dtype.kind in "fc"))
    return bool(one == other)


def missing(default: object) -> bool:
    """Return True for ``dataclasses.MISSING``; pickling a class by value copies that."""
    return default is sys.modules["dataclasses"].MISSING or type(default).__name__ == "_MISSING_TYPE"


def _attributes_set_by(source: type[Any], name: str, seen: set[Any]) -> Iterator[str]:
    """Yield the attributes that a method, and the methods of the class that it calls, assign, as their code shows."""
    for cls in source.__mro__:
        function = vars(cls).get(name)
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        for instruction in dis.get_instructions(function):
            if instruction.opname == "STORE_ATTR":
                yield instruction.argval
        for used in function.__code__.co_names:
            yield from _attributes_set_by(source, used, seen)
