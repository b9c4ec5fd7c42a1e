"""Arrays over a section's bytes: what dtype, shape, offset and stride may be."""

from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from typedshm.arguments import whole
from typedshm.errors import SchemaError, quoted
from typedshm.layout.layout import Layout
from typedshm.struct.struct import Struct, StructMeta


def layout_of(struct: Any, parameter: str) -> Layout:
    """Return the layout of a Struct class.

    Raises
    ------
    TypeError
        It is none; the message names the parameter.
    """
    if isinstance(struct, StructMeta) and hasattr(struct, "_plan"):
        return struct.layout
    hint = ": pass its class" if isinstance(struct, Struct) else ""
    raise SchemaError(f"{parameter}: expected a Struct class, found {quoted(struct)}{hint}")


def array_over(
    words: str,
    view: memoryview,
    dtype: DTypeLike | type[Struct],
    shape: int | tuple[int, ...],
    offset: int,
    stride: int | tuple[int, ...] | None,
) -> NDArray[Any]:
    """Return an array over a section's bytes; `words` are the section's in messages."""
    item, inner = _dtype(dtype)
    lengths = _shape(shape)
    offset = whole(offset, "offset", 0, "a byte of the section")
    strides = _strides(stride, item.itemsize, lengths, inner)
    lengths += inner
    last = offset + item.itemsize + sum(step * (length - 1) for step, length in zip(strides, lengths, strict=True))
    if 0 in lengths:
        offset = last = min(offset, view.nbytes)
    if last > view.nbytes:
        raise ValueError(
            f"{words} has {view.nbytes:,} bytes: expected {last:,} for items {item} in the shape {lengths} at offset "
            f"{offset:,}" + ("" if stride is None else f" with stride {stride}")
        )
    return np.ndarray(lengths, item, view, offset, strides)


def _dtype(given: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the dtype of one item, and the axes that the given dtype adds."""
    if isinstance(given, StructMeta):
        return layout_of(given, "dtype").dtype, ()
    try:
        item: np.dtype[Any] = np.dtype(given)
    except (TypeError, ValueError, SyntaxError) as error:
        reason = "" if isinstance(given, int) else f": {error}"  # which repeats it, however long it is
        raise SchemaError(f"dtype: expected a NumPy dtype or a Struct class, found {quoted(given)}{reason}") from error
    if item.hasobject:
        raise SchemaError(f"dtype: expected items of plain bytes, found {item}, which refers to Python objects")
    if not item.itemsize:
        raise SchemaError(f"dtype: expected items of at least one byte, found {item}; give it a length, as in 'S8'")
    return item.base, item.shape


def _shape(given: Any) -> tuple[int, ...]:
    meaning = "a whole number for each axis"
    if isinstance(given, tuple | list):
        return tuple(whole(length, "shape", 0, meaning) for length in cast("list[Any]", given))
    return (whole(given, "shape", 0, meaning),)


def _strides(given: Any, size: int, shape: tuple[int, ...], inner: tuple[int, ...]) -> tuple[int, ...]:
    """Return the bytes from one item to the next along each axis, those of the dtype included."""
    dense: list[int] = []
    for length in reversed(shape + inner):
        dense.insert(0, size)
        size *= max(length, 1)
    if given is None:
        return tuple(dense)
    item = dense[len(shape) - 1] if shape else size
    if isinstance(given, tuple | list):
        meaning = f"bytes for each axis, not fewer than the {item:,} of an item"
        steps = tuple(whole(step, "stride", item, meaning) for step in cast("list[Any]", given))
        if len(steps) != len(shape):
            raise ValueError(f"stride: expected one for each of {len(shape)} axes, found {len(steps)}")
        return (*steps, *dense[len(shape) :])
    if not shape:
        raise ValueError(f"stride: expected None, as the array has no axis, found {quoted(given)}")
    meaning = f"bytes, not fewer than the {dense[0]:,} of an item of the first axis"
    return (whole(given, "stride", dense[0], meaning), *dense[1:])
