"""Constraints: what the metadata of other libraries in an annotation says about a field's values.

``Annotated[f32, Field(ge=0, description="…")]`` constrains a field and describes it. A Struct enforces constraints
where a field is set, and its pydantic model where pydantic validates. What neither can keep is refused at
declaration: an alias, a validator. Metadata without meaning for pydantic is left alone, as ``Annotated`` asks.

Nothing of pydantic is imported: metadata of a module that is not loaded cannot be in an annotation.
"""

import ctypes
import math
import operator
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

import numpy as np

from typedshm.errors import SchemaError, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.kinds import STRUCT

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}

_INCLUSIVE = ("ge", "le")  # what holds for a number holds for the one that it is rounded to

_WORDS = {
    "gt": "a value greater than {}",
    "ge": "a value of at least {}",
    "lt": "a value less than {}",
    "le": "a value of at most {}",
    "multiple_of": "a multiple of {}",
    "min_length": "a length of at least {}",
    "max_length": "a length of at most {}",
    "pattern": "text that matches {}",
    "finite": "a finite number",
    "predicate": "a value for which {} is true",
    "not": "a value for which {} is false",
}

#: How far a number may be from a multiple, as a part of it: the kind's own precision for the narrow kinds.
_PRECISION = {"f16": 1e-3, "f32": 1.2e-7}


@frozen
class Constraint(Frozen):
    """One condition on the values of a field.

    Attributes
    ----------
    name : str
        ``gt``, ``ge``, ``lt``, ``le``, ``multiple_of``, ``min_length``, ``max_length``, ``pattern``, ``finite``,
        ``predicate`` or ``not``.
    bound : object
        The limit, pattern or function.
    kind : str
        The field's kind: bounds of ``f16`` and ``f32`` are rounded as its values are, so that 0.1 is at most 0.1.
    """

    __match_args__ = ("name", "bound", "kind")
    name: str
    bound: Any
    kind: str

    def holds(self, value: Any) -> bool:
        """Return True if the value fulfils the condition."""
        compare, bound = _COMPARED.get(self.name), self.bound
        if compare is not None:
            if self.kind not in _PRECISION or (self.name in _INCLUSIVE and compare(value, bound)):
                return bool(compare(value, bound))
            return bool(compare(_rounded(self.kind, value), _rounded(self.kind, bound)))
        match self.name:
            case "multiple_of":
                return _is_multiple(self.kind, value, self.bound)
            case "min_length":
                return bool(len(value) >= self.bound)
            case "max_length":
                return bool(len(value) <= self.bound)
            case "pattern":
                return re.search(self.bound, value) is not None
            case "finite":
                return bool(np.isfinite(value))
            case "predicate":
                return bool(self.bound(value))
            case _:
                return not self.bound(value)

    def __str__(self) -> str:
        """Return the condition in words: ``a value of at least 0``."""
        bound = self.bound
        if isinstance(bound, re.Pattern):
            bound = cast("re.Pattern[str]", bound).pattern
        shown = getattr(bound, "__qualname__", None) or (repr(bound) if isinstance(bound, str) else str(bound))
        return _WORDS[self.name].format(shown)


@frozen
class Rules(Frozen):
    """What metadata of other libraries says about one field.

    Attributes
    ----------
    constraints : tuple of Constraint
        In the order of the annotation.
    strict : bool
        True if pydantic is to validate the field in strict mode.
    shown : tuple of (str, object)
        Arguments of ``pydantic.Field`` that describe the field: ``title``, ``examples``, ``deprecated``,
        ``json_schema_extra``.
    doc : str
        The description.
    passed : tuple of object
        Metadata that changes the JSON schema alone.
    """

    __match_args__ = ("constraints", "strict", "shown", "doc", "passed")
    constraints: tuple[Constraint, ...] = ()
    strict: bool = False
    shown: tuple[tuple[str, Any], ...] = ()
    doc: str = ""
    passed: tuple[Any, ...] = ()

    def broken(self, value: Any) -> Constraint | None:
        """Return the first constraint that a value of the right type breaks, or None."""
        for constraint in self.constraints:
            if not constraint.holds(value):
                return constraint
        return None


def _rounded(kind: str, value: Any) -> Any:
    """Return a number as a field of the kind stores it; anything else unchanged."""
    if kind == "f32" and isinstance(value, int | float):
        return ctypes.c_float(value).value
    if kind == "f16" and isinstance(value, int | float):
        with np.errstate(over="ignore"):
            return float(np.float16(value))
    return value


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer)


def _is_multiple(kind: str, value: Any, step: Any) -> bool:
    """Return True if a number is a multiple of another, as exactly as floats tell."""
    if _is_whole(value) and _is_whole(step):
        return bool(int(value) % int(step) == 0)
    if not math.isfinite(value):
        return False
    step = abs(step)
    rest = value % step
    return bool(min(rest, step - rest) <= abs(value) * _PRECISION.get(kind, 1e-9))


# ---- reading metadata ----------------------------------------------------------------------------------------------

#: Attributes of ``pydantic.Field`` that a field cannot have, with what to do instead.
_USE_A_MODEL = "use a pydantic model as the schema"
_REFUSED: dict[str, str] = {
    "default": "write the default as the field's value: x: … = 1",
    "default_factory": "write the default as the field's value: x: … = 1",
    "alias": _USE_A_MODEL,
    "validation_alias": _USE_A_MODEL,
    "serialization_alias": _USE_A_MODEL,
    "exclude": _USE_A_MODEL,
    "exclude_if": _USE_A_MODEL,
    "discriminator": "a field always holds a value of one type",
    "field_title_generator": "use title=",
    "validate_default": "defaults are always checked",
    "frozen": "use a frozen pydantic model or dataclass as the schema",
    "repr": _USE_A_MODEL,
    "init": _USE_A_MODEL,
    "init_var": _USE_A_MODEL,
    "kw_only": "the fields of a Struct are always given by keyword",
}

#: Values of them that say what is so anyway.
_SAID_ANYWAY: dict[str, Any] = {
    "exclude": False,
    "validate_default": True,
    "frozen": False,
    "repr": True,
    "init": True,
    "init_var": False,
    "kw_only": True,
}

# CPython 3.15 has the implementation of warnings in _py_warnings.
_DEPRECATING = ("warnings", "_py_warnings", "typing_extensions")

_SHOWN = ("title", "examples", "deprecated", "json_schema_extra")

#: Settings of pydantic's own metadata that are constraints here.
_SETTINGS = {"pattern", "strict", "allow_inf_nan"}


class _Reading:
    """The rules of one field while its metadata is read."""

    def __init__(self, where: str, kind: str) -> None:
        self.where = where
        self.kind = kind
        self.constraints: list[Constraint] = []
        self.strict = False
        self.shown: dict[str, Any] = {}
        self.doc = ""
        self.passed: list[Any] = []

    def refuse(self, what: str, remedy: str) -> NoReturn:
        raise SchemaError(f"{self.where}: {what} has no effect in a Struct, whose fields are plain memory; {remedy}")

    def add(self, name: str, bound: Any) -> None:
        self.constraints.append(Constraint(name, bound, self.kind))

    def read(self, item: object) -> None:
        """Take one object of an annotation's metadata."""
        found: Any = item
        cls: type = cast("Any", item if isinstance(item, type) else type(item))
        library = cls.__module__.partition(".")[0]
        if _is_field(found):
            self._field(found)
        elif getattr(found, "__is_annotated_types_grouped_metadata__", False) is True:
            for inner in found:
                self.read(inner)
        elif library == "annotated_types":
            self._annotated_type(found, cls.__name__)
        elif library == "pydantic":
            self._pydantic(found, cls)
        elif cls.__name__ == "deprecated" and library in _DEPRECATING:
            self.shown["deprecated"] = found.message
        elif cls.__name__ == "Doc" and library == "typing_extensions":
            self.doc = found.documentation
        elif hasattr(found, "__get_pydantic_core_schema__"):
            self.refuse(f"{cls.__name__}, which has its own validation for pydantic,", _USE_A_MODEL)
        elif hasattr(found, "__get_pydantic_json_schema__"):
            self.passed.append(found)

    def _field(self, info: Any) -> None:
        blank = type(info)()
        for name, remedy in _REFUSED.items():
            value = getattr(info, name, None)
            if value is not getattr(blank, name, None) and not (name in _SAID_ANYWAY and value is _SAID_ANYWAY[name]):
                self.refuse(f"Field({name}={quoted(value)})", remedy)
        for name in _SHOWN:
            if getattr(info, name) is not None:
                self.shown[name] = getattr(info, name)
        if info.description is not None:
            self.doc = info.description
        for inner in info.metadata:
            self.read(inner)

    def _annotated_type(self, item: Any, name: str) -> None:
        match name:
            case "Gt" | "Ge" | "Lt" | "Le":
                self.add(name.lower(), getattr(item, name.lower()))
            case "MultipleOf":
                self.add("multiple_of", item.multiple_of)
            case "MinLen":
                self.add("min_length", item.min_length)
            case "MaxLen":
                self.add("max_length", item.max_length)
            case "Predicate":
                self.add("predicate", item.func)
            case "Not":
                self.add("not", item.func)
            case "Timezone":
                self.refuse(repr(item), "times are always in UTC")
            case _:
                pass  # a unit, a description: nothing that pydantic looks at

    def _pydantic(self, item: Any, cls: type) -> None:
        if cls.__name__ in ("WithJsonSchema", "Examples"):
            self.passed.append(item)
            return
        settings = _settings_of(item)
        if not settings:
            self.refuse(cls.__name__, _USE_A_MODEL)
        for name, value in settings.items():
            if value is None or (value is False and name not in _SETTINGS):
                continue
            if name not in _SETTINGS:
                self.refuse(f"{name}={quoted(value)}", _USE_A_MODEL)
            elif name == "pattern":
                self._pattern(value)
            elif name == "strict":
                self.strict = bool(value)
            elif value is False:  # allow_inf_nan
                self.add("finite", None)

    def _pattern(self, value: Any) -> None:
        try:
            self.add("pattern", re.compile(value))
        except re.error as error:
            raise SchemaError(f"{self.where}: pattern={quoted(value)} is no regular expression: {error}") from error


def check_default(value: object, where: str) -> None:
    """Raise if the value of a class attribute is a description of a field instead of its default.

    Raises
    ------
    SchemaError
        If it is what ``pydantic.Field`` or ``dataclasses.field`` returns.
    """
    dataclasses: Any = sys.modules.get("dataclasses")
    if _is_field(value):
        raise SchemaError(
            f"{where}: expected the default as the value, found Field(…); write it into the annotation, as in "
            f"{where.rpartition('.')[2]}: Annotated[…, Field(…)] = 1"
        )
    if dataclasses is not None and isinstance(value, dataclasses.Field):
        raise SchemaError(f"{where}: expected the default as the value, found dataclasses.field(…)")


def _is_field(item: object) -> bool:
    fields: Any = sys.modules.get("pydantic.fields")
    return fields is not None and isinstance(item, fields.FieldInfo)


def _settings_of(item: Any) -> dict[str, Any]:
    """Return the settings of pydantic's metadata such as ``Strict()`` and ``AllowInfNan(False)``; empty for others."""
    instance = item() if isinstance(item, type) and item.__name__ in ("Strict", "AllowInfNan") else item
    known = {name: getattr(instance, name) for name in ("strict", "allow_inf_nan") if hasattr(instance, name)}
    general = getattr(instance, "__dict__", {}) if type(instance).__name__.endswith("GeneralMetadata") else {}
    return known | general


def read_rules(metadata: Iterable[object], where: str, kind: str, shape: tuple[int, ...], face: type) -> Rules:
    """Return what an annotation's metadata says besides the project's own markers.

    Parameters
    ----------
    metadata : iterable of object
        From the inside to the outside of the annotation, without markers.
    where : str
        ``Class.field``, the prefix of error messages.
    kind, shape : str, tuple of int
        Of the field.
    face : type
        The Python type of its values.

    Raises
    ------
    SchemaError
        If something in it cannot be kept for such a field.
    """
    reading = _Reading(where, kind)
    for item in metadata:
        reading.read(item)
    for constraint in reading.constraints:
        _check_constraint(constraint, where, shape, face)
    shown = tuple(reading.shown.items())
    return Rules(tuple(reading.constraints), reading.strict, shown, reading.doc, tuple(reading.passed))


def _check_constraint(constraint: Constraint, where: str, shape: tuple[int, ...], face: type) -> None:
    """Raise if a constraint cannot be enforced on a field."""
    if shape or constraint.kind == STRUCT:
        found = "an array" if shape else "a Struct"
        raise SchemaError(
            f"{where}: expected a field of one value for a constraint, found {found}, which is written through without "
            f"a check ({constraint}); constrain the fields of the items, or {_USE_A_MODEL}"
        )
    if constraint.name in ("predicate", "not"):
        return
    try:
        constraint.holds(_SAMPLES[face]() if face in _SAMPLES else face())
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise SchemaError(f"{where}: {face.__name__} values cannot be compared with {constraint}: {error}") from error


_SAMPLES: dict[type, Callable[[], Any]] = {
    np.datetime64: lambda: np.datetime64(0, "ns"),
    datetime: lambda: datetime(1970, 1, 1, tzinfo=UTC),
}
