"""Functions on Structs, which are no methods so that fields can have any name."""

import ctypes
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldTypeError, found
from typedshm.layout.layout import LayoutField
from typedshm.struct.conversion import raw_bytes, stored, whole_shape
from typedshm.struct.struct import Struct, plan_of, replaced

S = TypeVar("S", bound=Struct)


def asdict(struct: Struct, *, mode: Literal["python", "json"] = "python") -> dict[str, Any]:
    r"""Return a struct's fields as a dict, with nested structs as dicts and arrays as copies.

    Parameters
    ----------
    struct : Struct
        The value.
    mode : "python" or "json"
        With ``"json"`` every value is one that ``json.dumps`` takes, and the same as in the JSON of the Struct's
        pydantic model: arrays are lists, raw bytes base64, times ISO 8601, enum members numbers; ``"NaN"``,
        ``"Infinity"`` and ``"-Infinity"`` stand for the numbers that JSON lacks.

    Where memory holds what is no value of the field, the dict has a value of another type: the number of an enum
    without that member, the bytes of text that does not decode (in JSON what decodes, and ``\xff`` for the rest),
    ``np.datetime64("NaT")`` for a datetime.
    """
    _check("asdict", struct, "dataclasses.asdict(value)", "value.model_dump()")
    given: Any = mode
    if not isinstance(given, str):
        raise TypeError(f'asdict: expected mode="python" or mode="json", found {found(given)}')
    if mode == "python":
        return _as_dict(struct)
    if mode != "json":
        raise ValueError(f'asdict: expected mode="python" or mode="json", found {mode!r}')
    from typedshm.struct.json_values import json_of  # base64's zlib is heavy

    return json_of(struct)


def _as_dict(struct: Struct, _: object = None) -> dict[str, Any]:
    return _native.fields_of(struct, stored, _copied, _as_dict)


def _copied(value: Any, _: object) -> Any:
    return cast("Any", value).copy() if isinstance(value, np.ndarray) else value


def raw(struct: Struct, field: str, /) -> bytes:
    """Return the bytes of a field as they are in memory, also where they are no value of the field.

    Parameters
    ----------
    struct : Struct
        A Struct, also one inside a block.
    field : str
        The name of the field; of one in a nested Struct: ``"pose.x"``.

    Raises
    ------
    AttributeError
        If the struct has no field of that name.
    """
    _check("raw", struct, "typedshm.to_struct(value) makes one", "typedshm.to_struct(value) makes one")
    return raw_bytes(*_find("raw", struct, field))


def resize(struct: Struct, field: str, shape: int | tuple[int, ...], /) -> "np.ndarray[Any, Any]":
    """Set the shape of an array field declared with ``UpTo``, and return the array to fill.

    The items are packed in C order: an array that was taken before shows them in other places if another axis than the
    first has got another length. Items that come into use are zero; in a ``loan()``, what an older version left.

    Parameters
    ----------
    struct : Struct
        A Struct, also one inside a block.
    field : str
        The name of the field; of one in a nested Struct: ``"pose.x"``.
    shape : int or tuple of int
        The lengths of the axes that vary, or those of all axes.

    Returns
    -------
    ndarray
        The field's array, of that shape.

    Raises
    ------
    FieldValueError
        There is no room for so many items.
    FieldTypeError
        The field has a fixed shape.
    AttributeError
        The struct has no field of that name.
    """
    _check("resize", struct, "typedshm.to_struct(value) makes one", "typedshm.to_struct(value) makes one")
    struct, spec = _find("resize", struct, field)
    where = f"{plan_of(struct).layout.name}.{spec.name}"
    if not spec.free:
        hint = f"; setting an array sets {spec.count} as well" if spec.count else ""
        raise FieldTypeError(
            f"resize: expected an array field declared with UpTo, found {where}, {spec.type_name}{hint}"
        )
    counts = whole_shape(where, spec, shape)[: spec.free]
    state: object = getattr(struct, "_state", None)  # a Struct of one's own may have none
    loan = isinstance(state, _native.Lease) and state.loan
    _native.resize(_descriptor(struct, spec.name), struct, counts, not loan)
    resized: np.ndarray[Any, Any] = getattr(struct, spec.name)
    return resized


def _descriptor(struct: Struct, name: str) -> _native.Field:
    found = (vars(base).get(name) for base in type(struct).__mro__)
    return next(item for item in found if isinstance(item, _native.Field))


def _find(verb: str, struct: Struct, path: str) -> tuple[Struct, LayoutField]:
    """Return the Struct with the field at a path, and the field."""
    if not isinstance(cast("object", path), str):
        raise TypeError(f"{verb}: expected the name of a field as field, found {found(path)}")
    *steps, name = path.split(".")
    for step in steps:
        spec = _field_of(verb, struct, step)
        if spec.struct is None or spec.shape:
            hint = f"; give an item of it, as in {verb}(t.{step}[0], {name!r})" if spec.struct is not None else ""
            raise AttributeError(f"{verb}: {step} in {path!r} is no Struct{hint}")
        struct = getattr(struct, step)
    return struct, _field_of(verb, struct, name)


def _check(verb: str, value: object, of_dataclass: str, of_model: str) -> None:
    """Refuse what is no Struct, such as an instance of the model or dataclass that one was generated from."""
    if isinstance(value, Struct):
        return
    remedy = ""
    if verb == "resize" and type(value) is np.ndarray:
        remedy = "; a bare array gets its shape by loan(shape=…), or by write()"
    elif isinstance(value, ctypes.Structure) or getattr(getattr(value, "dtype", None), "names", None):
        remedy = "; typedshm.to_struct(value) makes one"
    elif not isinstance(value, type):
        remedy = f"; {of_dataclass}" if hasattr(value, "__dataclass_fields__") else ""
        remedy = f"; {of_model}" if hasattr(value, "__pydantic_fields__") else remedy
    raise TypeError(f"{verb}: expected a Struct as struct, found {found(value)}{remedy}")


def _field_of(verb: str, struct: Struct, name: str) -> LayoutField:
    for field in plan_of(struct).layout.fields:
        if field.name == name:
            return field
    raise AttributeError(f"{verb}: {plan_of(struct).layout.name} has no field {name!r}")


def replace(struct: S, /, **changes: Any) -> S:
    """Return a copy with some fields changed, which has no version number any more.

    Raises
    ------
    TypeError
        If the struct has no field of that name.
    """
    _check("replace", struct, "dataclasses.replace(value, …)", "value.model_copy(update={…})")
    return replaced(struct, changes)


def version_of(struct: Struct) -> int | None:
    """Return the number of the version that a Struct was read from, or None if it was not read from a region.

    Copies and pickles keep it. Models, dataclasses and arrays have no room for it.
    """
    origin = _native.origin_of(struct)
    return None if origin is None else origin.version


def time_of(struct: Struct) -> datetime | None:
    """Return when the version that a Struct was read from was published, or None if it was not read from a region.

    Copies and pickles keep it. Models, dataclasses and arrays have no room for it.

    Returns
    -------
    datetime or None
        In UTC, by the clock of the system that wrote it.
    """
    origin = _native.origin_of(struct)
    return None if origin is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=origin.time // 1000)
