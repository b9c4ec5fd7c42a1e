"""JSON forms of the values of fields, for ``asdict(value, mode="json")`` and for pydantic.

Arrays are nested lists, raw bytes base64, times ISO 8601 in UTC, durations ISO 8601 (``P1DT2H3M4.5S``), what is missing
null, single complex numbers text such as ``"1+2j"`` and complex items pairs. Numbers that JSON lacks are ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``.
"""

import binascii
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np

import typedshm._native as _native
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.struct.conversion import stored
from typedshm.struct.struct import Struct, from_buffer_copy, plan_of
from typedshm.struct.times import iso_of_datetime, iso_of_duration


def json_of(value: Struct) -> dict[str, Any]:
    """Return a struct's fields as values that ``json.dumps`` takes."""
    plan = plan_of(value)
    found = _native.fields_of(value, stored)
    return {field.name: json_of_field(field, plan.structs, found[field.name]) for field in plan.layout.fields}


def json_of_field(field: LayoutField, structs: Mapping[str, type[Struct]], value: Any) -> Any:
    """Return the JSON form of a field's value.

    Parameters
    ----------
    field : LayoutField
        The field.
    structs : mapping of str to type
        The Struct classes of the fields of kind ``"struct"``.
    value : object
        What the field reads as, or holds where that is none of its values.
    """
    if field.shape:
        return json_of_array(field, structs.get(field.name), value)
    if field.struct is not None:
        return json_of(value)
    return json_of_single(field)(value)


def json_of_single(field: LayoutField) -> Callable[[Any], Any]:
    """Return the function for the JSON form of a single value."""
    if KINDS[field.kind].python is str:
        return functools.partial(_text_of, field.codec)
    single = _SINGLE[KINDS[field.kind].python]
    return single if field.missing is None else functools.partial(_number_or_none, single)


def json_of_array(field: LayoutField, struct: type[Struct] | None, array: Any) -> Any:
    """Return an array as nested lists."""
    items = np.ascontiguousarray(np.asarray(array))
    kind = None if struct is not None else KINDS[field.kind]
    if struct is not None:
        made: list[Any] = [json_of(item) for item in structs_of(struct, items)]
    elif kind is not None and kind.unit:
        made = [_SINGLE[kind.python](item) for item in items.flat]
    elif kind is not None and kind.dtype == "S":
        made = [_text_of(field.codec, item) for item in items.ravel().tolist()]
    elif kind is not None and kind.python is bytes:
        made = [base64_of(item) for item in items.view(f"V{field.length}").flat]  # S would lose NULs at the end
    elif kind is not None and kind.python is complex:
        made = [_pair_of(item) for item in items.ravel().tolist()]
    elif kind is not None and kind.python is float and not np.isfinite(items).all():
        made = [number_of(item) for item in items.ravel().tolist()]
    else:
        return items.tolist()
    return nested_lists(made, items.shape)


def structs_of(struct: type[Struct], array: Any) -> Iterator[Struct]:
    """Yield copies of the items of an array of Structs, row by row."""
    data, size = np.asarray(array).tobytes(), struct.layout.size
    return (from_buffer_copy(struct, data, at) for at in range(0, len(data), size))


def nested_lists(items: Iterable[Any], shape: tuple[int, ...]) -> list[Any]:
    """Return items as nested lists of a shape."""
    if 0 in shape:
        return cast("list[Any]", np.empty(shape).tolist())
    made = list(items)
    for dim in reversed(shape[1:]):
        made = [made[at : at + dim] for at in range(0, len(made), dim)]
    return made


def number_of(value: float) -> float | str:
    """Return a float, or the name of one that JSON lacks."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def text_of_complex(value: complex) -> str:
    """Return a complex number as text that ``complex()`` reads."""
    return str(complex(value)).strip("()")


def base64_of(value: Any) -> str:
    """Return raw bytes as base64."""
    return binascii.b2a_base64(bytes(value), newline=False).decode()


def _text_of(encoding: str, value: str | bytes) -> str:
    """Return text, or what decodes of bytes that are none."""
    return value if isinstance(value, str) else value.decode(encoding, "backslashreplace").rstrip("\0")


def _number_or_none(single: Callable[[Any], Any], value: float | None) -> Any:
    return None if value is None else single(value)


def _pair_of(value: complex) -> list[float | str]:
    return [number_of(value.real), number_of(value.imag)]


_SINGLE: dict[type, Callable[[Any], Any]] = {
    int: int,
    float: number_of,
    complex: text_of_complex,
    bool: bool,
    bytes: base64_of,
    np.datetime64: iso_of_datetime,
    np.timedelta64: iso_of_duration,
}
