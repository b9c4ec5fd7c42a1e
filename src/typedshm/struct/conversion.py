"""Conversions of fields that are written in Python: arrays, and what is no value of a field."""

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

import typedshm._native as _native
from typedshm import hooks
from typedshm.errors import FieldTypeError, FieldValueError, quoted
from typedshm.layout.kinds import KINDS
from typedshm.layout.layout import LayoutField
from typedshm.struct.lossless import check_items, check_lossless
from typedshm.struct.refusal import refuse, refuse_shape, where_of
from typedshm.struct.times import encode_time, stored_time

# ---- arrays --------------------------------------------------------------------------------------------------------


def assign_array(field: _native.Field, view: "np.ndarray[Any, Any]", value: object) -> None:
    """Copy a value into an array field.

    Parameters
    ----------
    field : Field
        The descriptor.
    view : ndarray
        The array over the field's own bytes.
    value : array-like
        An array of the same shape and dtype (in either byte order), or lists, tuples and a range of the same shape,
        whose items are converted like single values.

    Raises
    ------
    FieldTypeError, FieldValueError, FieldOverflow
        If the dtype, the shape, or an item does not fit.
    """
    if isinstance(value, range):
        value = list(value)
    if isinstance(value, list | tuple):
        array = _array_of_items(field, view, cast("Sequence[object]", value))
    else:
        array = _array_of_dtype(field, view, value, str(view.shape))
        if array.shape != view.shape:
            refuse_shape(field, view, array.shape)
    if array.dtype == bool:
        array = array.view(np.uint8) != 0  # memory may hold any byte for True
    np.copyto(view, array)


def assign_counted(field: _native.Field, room: "np.ndarray[Any, Any]", value: object) -> int:
    """Copy a value into the first items of an array field, and return how many those are.

    Parameters
    ----------
    field : Field
        The descriptor.
    room : ndarray
        The array over all of the field's bytes.
    value : array-like
        As for :func:`assign_array`, but that there may be fewer items.

    Raises
    ------
    FieldTypeError, FieldValueError, FieldOverflow
        If the dtype, the shape, or an item does not fit.
    """
    try:
        count = len(cast("Sequence[object]", value))
    except TypeError:  # a number, an array without dimensions
        refuse_shape(field, room, () if isinstance(value, np.ndarray) else quoted(value))
    if count > len(room):
        raise FieldValueError(f"{where_of(field)}: expected at most {len(room)} items, found {count}")
    if count or not isinstance(value, list | tuple | range):  # no items, of whatever shape
        assign_array(field, room[:count], value)
    return count


def assign_bounded(field: _native.Field, room: "np.ndarray[Any, np.dtype[Any]]", value: object) -> tuple[int, ...]:
    """Copy a value into the bytes of an array field whose shape varies, and return its shape.

    Parameters
    ----------
    field : Field
        The descriptor.
    room : ndarray
        The array over all of the field's bytes.
    value : array-like
        As for :func:`assign_array`, but of any shape that there is room for.

    Raises
    ------
    FieldTypeError, FieldValueError, FieldOverflow
        If the dtype, the shape, or an item does not fit.
    """
    spec: LayoutField = field.spec
    if isinstance(value, range):
        value = list(value)
    if isinstance(value, list | tuple):
        shape = _shape_of_lists(cast("Sequence[object]", value), room, spec.free)
    else:
        value = _array_of_dtype(field, room, value, shown_room(spec))
        shape = value.shape
    check_room(where_of(field), spec, shape)
    used = np.ndarray.view(room, np.ndarray).reshape(-1)[: math.prod(shape)].reshape(shape).view(type(room))
    if used.size or not isinstance(value, list | tuple):
        assign_array(field, used, cast("object", value))
    elif not _has_shape(cast("object", value), shape):
        refuse_shape(field, used, "lists of different lengths")
    return shape


def check_room(where: str, spec: LayoutField, shape: tuple[int, ...]) -> None:
    """Refuse a shape that there is no room for.

    Raises
    ------
    FieldValueError
        If it has other dimensions, or more items along an axis than there is room for.
    """
    if has_room(spec, shape):
        return
    if len(spec.shape) == len(shape) == 1 and spec.free:
        raise FieldValueError(f"{where}: expected at most {spec.shape[0]} items, found {quoted(shape[0])}")
    raise FieldValueError(f"{where}: expected shape {shown_room(spec)}, found {quoted(shape)}")


def has_room(spec: LayoutField, shape: tuple[int, ...]) -> bool:
    """Return True if an array field can have a shape: its own, or if that varies one that there is room for."""
    if len(shape) != len(spec.shape) or shape[spec.varying :] != spec.shape[spec.varying :]:
        return False
    return all(dim <= most for dim, most in zip(shape, spec.shape, strict=True))


def shown_room(spec: LayoutField) -> str:
    """Return the shapes that an array field can have, as messages say it."""
    dims = ", ".join(f"at most {dim}" if axis < spec.free else str(dim) for axis, dim in enumerate(spec.shape))
    return f"({dims},)" if len(spec.shape) == 1 else f"({dims})"


def whole_shape(where: str, spec: LayoutField, shape: Any) -> tuple[int, ...]:
    """Return the shape of an array field from its lengths along the axes that vary, or along all.

    Raises
    ------
    FieldTypeError, FieldValueError
        It is no shape, or there is no room for it.
    """
    given: Sequence[Any] = cast("Any", shape) if isinstance(shape, tuple | list) else (shape,)
    try:
        dims = tuple(operator.index(dim) for dim in given)
    except TypeError:
        dims = (-1,)
    if any(dim < 0 for dim in dims) or any(isinstance(dim, bool) for dim in given):
        raise FieldTypeError(
            f"{where}: expected whole numbers of at least 0 as the shape, found {quoted(cast('object', shape))}"
        )
    if len(dims) == spec.free:
        dims = (*dims, *spec.shape[spec.free :])
    check_room(where, spec, dims)
    return dims


def _shape_of_lists(value: object, room: "np.ndarray[Any, np.dtype[Any]]", free: int) -> tuple[int, ...]:
    """Return the shape of nested lists, by the first item of each; of axes that no item tells of, none or all."""
    most, shape = room.shape, list[int]()
    while isinstance(value, list | tuple) and len(shape) < len(most):
        items = cast("Sequence[object]", value)
        shape.append(len(items))
        if not items:
            return (*shape, *(0 if axis < free else most[axis] for axis in range(len(shape), len(most))))
        value = items[0]
    if isinstance(value, list | tuple) or room.dtype.kind in "mMSUV":  # of which only lists are taken apart
        return tuple(shape)
    return (*shape, *np.asarray(cast("Any", value)).shape)


def _has_shape(value: object, shape: tuple[int, ...]) -> bool:
    """Return True if nested lists without items have a shape, in which there is a 0."""
    if not isinstance(value, list | tuple):
        return np.asarray(cast("Any", value)).shape == shape
    items = cast("Sequence[object]", value)
    return len(items) == shape[0] and all(_has_shape(item, shape[1:]) for item in items)


def _array_of_dtype(
    field: _native.Field, view: "np.ndarray[Any, Any]", value: object, shape: str
) -> "np.ndarray[Any, Any]":
    """Return an array-like as an array of a field's dtype, in either byte order; `shape` is for the message."""
    if type(value) is not np.ndarray:
        check_lossless(where_of(field), value)
    array = np.asarray(cast("Any", value))
    if array.dtype != view.dtype and (
        array.dtype.hasobject or array.dtype.newbyteorder("=") != view.dtype.newbyteorder("=")
    ):
        check_lossless(where_of(field), value)
        wanted = view.dtype.newbyteorder("=") if view.dtype.fields is None else f"{field.spec.struct.name} structs"
        found = quoted(value) if array.dtype == object else f"{array.dtype}; convert it with .astype()"
        if isinstance(value, bytes) and view.dtype.kind in "iu" and view.dtype.itemsize == 1:
            found = f"bytes; np.frombuffer(value, np.{view.dtype}) makes an array of them"
        raise FieldTypeError(f"{where_of(field)}: expected an array of {wanted} with shape {shape}, found {found}")
    return array


def _array_of_items(
    field: _native.Field, view: "np.ndarray[Any, Any]", value: Sequence[object]
) -> "np.ndarray[Any, Any]":
    if view.dtype.kind in "mMSUV":
        items = list(_flat_items(field, view, value, view.shape))
        encode = _encode_struct if field.spec.struct is not None else _ENCODERS[KINDS[field.spec.kind].python]
        encoded = b"".join(encode(field, item) for item in items)
        return np.frombuffer(encoded, view.dtype).reshape(view.shape)
    check_items(where_of(field), value)
    try:
        array = np.asarray(value)
        if view.dtype.kind in "iu" and array.dtype.kind == "f":  # as NumPy makes floats of both large and small ones
            array = _whole_numbers(value, array)
    except ValueError:  # lists of different lengths
        refuse_shape(field, view, "lists of different lengths")
    if array.shape != view.shape:
        refuse_shape(field, view, array.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        return _converted(field, view.dtype, array)


def _whole_numbers(value: Sequence[object], array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return an array of Python's integers if there is nothing else in lists, otherwise what NumPy made of them."""
    exact: np.ndarray[Any, Any] = np.asarray(value, object)
    return exact if all(isinstance(item, int) for item in exact.flat) else array


def _converted(field: _native.Field, dtype: "np.dtype[Any]", array: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    if dtype.kind in "iu" and array.dtype == object and all(isinstance(item, int) for item in array.flat):
        limits = np.iinfo(dtype)
        for item in array.flat:
            if not limits.min <= item <= limits.max:
                refuse(field, max(array.flat, key=abs), "range")
        return array.astype(dtype)
    accepted = {"b": "b", "i": "biu", "u": "biu", "f": "biuf", "c": "biufc"}[dtype.kind]
    if array.dtype.kind not in accepted:
        raise FieldTypeError(
            f"{where_of(field)}: expected items that are {dtype.newbyteorder('=')}, "
            f"found {array.dtype} in {quoted(array.tolist())}"
        )
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        for item in (int(array.min()), int(array.max())):
            if not limits.min <= item <= limits.max:
                refuse(field, item, "range")
    converted = array.astype(dtype)
    if dtype.kind in "fc":
        overflown = np.isinf(converted) & np.isfinite(array)
        if overflown.any():
            refuse(field, array[overflown][0].item(), "range")
    return converted


def _flat_items(
    field: _native.Field, view: "np.ndarray[Any, Any]", value: object, shape: tuple[int, ...]
) -> Iterator[object]:
    if not shape:
        yield value
        return
    if not isinstance(value, list | tuple) or len(cast("Sequence[object]", value)) != shape[0]:
        found = f"{len(cast('Sequence[object]', value))} items" if isinstance(value, list | tuple) else quoted(value)
        refuse_shape(field, view, f"{found} instead of {shape[0]} items")
    for item in cast("Sequence[object]", value):
        yield from _flat_items(field, view, item, shape[1:])


def _encode_time(field: _native.Field, value: object) -> bytes:
    return encode_time(field, value).to_bytes(8, cast("LayoutField", field.spec).byte_order, signed=True)


def _encode_text(field: _native.Field, value: object) -> bytes:
    spec = field.spec
    if not isinstance(value, str):
        refuse(field, value, "type")
    if "\0" in value:
        refuse(field, value, "nul")
    size = KINDS[spec.kind].size * spec.length
    try:
        encoded = value.encode(spec.codec)
    except UnicodeEncodeError:
        refuse(field, value, "encode")
    if len(encoded) > size:
        refuse(field, value, "length")
    return encoded.ljust(size, b"\0")


def _encode_raw(field: _native.Field, value: object) -> bytes:
    if not isinstance(value, bytes):
        refuse(field, value, "type")
    if field.spec.face == "S" and len(value) < field.spec.length:
        value = value.ljust(field.spec.length, b"\0")
    if len(value) != field.spec.length:
        refuse(field, value, "length")
    return value


def _encode_struct(field: _native.Field, value: object) -> bytes:
    layout = getattr(type(value), "layout", None)
    if layout is None or layout.id != field.spec.struct.id:
        value = adopt(field, value)
    return bytes(cast("bytes", value))


def adopt(field: _native.Field, value: object) -> Any:
    """Return the Struct of a model or dataclass instance for a field that is generated from its class.

    Raises
    ------
    FieldTypeError
        If the value is something else.
    """
    made = hooks.adopted(cast("Any", field.owner)._plan.structs[field.spec.name], value)
    if made is None:
        refuse(field, value, "type")
    return made


_ENCODERS = {np.datetime64: _encode_time, np.timedelta64: _encode_time, str: _encode_text, bytes: _encode_raw}


# ---- what memory holds and Python cannot ---------------------------------------------------------------------------


def raw_bytes(instance: Any, field: LayoutField) -> bytes:
    """Return the bytes of an instance's field."""
    return memoryview(instance).cast("B")[field.offset : field.end].tobytes()


def used_of(instance: Any, field: LayoutField) -> tuple[int, ...]:
    """Return the numbers of used items that memory holds before an array whose shape varies."""
    return tuple(np.frombuffer(raw_bytes(instance, field), field.count_dtype, field.free).tolist())


def stored(instance: object, field: LayoutField) -> object:
    """Return what memory holds where the field has no value: a number, NumPy's time, bytes, or all of an array."""
    data = raw_bytes(instance, field)
    if field.varying:
        return np.frombuffer(bytearray(data), field.item_dtype, offset=field.start - field.offset).reshape(field.shape)
    if field.enum is not None:
        return int.from_bytes(data, field.byte_order, signed=KINDS[field.kind].signed)
    return stored_time(field, data) if KINDS[field.kind].unit else data


def _equal(one: Any, other: Any) -> bool:
    """Return True if two values of a field are equal."""
    if isinstance(one, np.ndarray):
        items = cast("Any", one)
        return bool(items.shape == other.shape and np.all(items == other))  # of Structs by their own ==
    return bool(one == other)


def equal_fields(one: object, other: object, field: LayoutField) -> bool:
    """Return True if a field has equal values in two instances, or the same bytes where it has no value."""
    try:
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
    except FieldValueError:
        return raw_bytes(one, field) == raw_bytes(other, field)
    return _equal(mine, theirs)
