# ruff: noqa: D102 (they are what they are in Schema)
"""Array values: the schemas of bare arrays, of one shape or of shapes that vary."""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn, cast

import numpy as np

import typedshm._native as _native
from typedshm.errors import FieldTypeError, FieldValueError, found
from typedshm.layout.layout import Layout, Value
from typedshm.schema.arrays import ArraySchema, NDArray
from typedshm.schema.base import Schema, StructSchema
from typedshm.struct.conversion import shown_room, whole_shape
from typedshm.struct.loading import struct_around, struct_of
from typedshm.struct.lossless import can_be_filled, check_lossless, is_plain
from typedshm.struct.struct import Struct
from typedshm.struct.struct_array import struct_array
from typedshm.struct.views import overlay


def values_of_array(description: ArraySchema[Any], layout: Layout, *, described: bool = False) -> Schema[Any]:
    """Return the schema of an array description; `described`: it was made from a region's document."""
    values = BoundedArrayValues if description.free else ArrayValues
    return values(description, layout, described=described)


class ArrayValues(Schema[Any]):
    """Values are ndarrays of one shape."""

    value: Value = "array"
    struct: type[Struct] | None = None
    decode: Callable[[Any], Any] | None = None
    check = None

    def __init__(self, description: ArraySchema[Any], layout: Layout, *, described: bool = False) -> None:
        self.source = None if described else description
        self.argument = description
        self.layout = layout
        self._dtype = description.dtype
        self._shape = description.shape
        self._array = np.ndarray if description.of is None else struct_array(description.of)
        self._of = description.of

    def make(self) -> NDArray[Any]:
        return self._array(self._shape, self._dtype)

    def encode(self, value: Any) -> NDArray[Any]:
        if not self._fits(value):
            self._refuse(value, "write")
        return value if value.flags.c_contiguous else np.ascontiguousarray(value)

    def target(self, value: Any) -> NDArray[Any]:
        if not (can_be_filled(value) and self._is_alike(value)):
            self._refuse(value, "read_into")
        flags = value.flags
        if not flags.c_contiguous or not flags.writeable:
            is_one = "a read-only one" if flags.c_contiguous else "one that is not contiguous"
            raise FieldValueError(f"read_into: expected a writable, C-contiguous array, found {is_one}")
        return cast("NDArray[Any]", value)

    def overlay(self, buffer: Any, offset: int, lease: _native.Lease | None) -> NDArray[Any]:
        if lease is not None and self._of is not None:  # whose items check it
            around: Any = overlay(struct_around(self.layout, self._of), buffer, offset, lease)
            return cast("NDArray[Any]", around.array)
        return self._array(self._shape, self._dtype, buffer, offset)

    @functools.cached_property
    def defaults(self) -> bytes:
        return bytes(self.layout.size)

    @property
    def _shown_shape(self) -> str:
        return str(self._shape)

    def _fits(self, value: Any) -> bool:
        return is_plain(value) and self._is_alike(value)

    def _is_alike(self, array: NDArray[Any]) -> bool:
        return array.dtype == self._dtype and array.shape == self._shape

    def _refuse(self, value: Any, verb: str) -> NoReturn:
        check_lossless(verb, value)
        expected = f"{verb}: expected an array of {self._dtype} with shape {self._shown_shape}"  # this takes 10 us
        if not isinstance(value, np.ndarray):
            raise FieldTypeError(f"{expected}, found {found(value)}")
        array = cast("NDArray[Any]", value)
        if array.dtype != self._dtype:
            raise FieldTypeError(f"{expected}, found {array.dtype}; convert it with .astype()")
        raise FieldValueError(f"{expected}, found shape {array.shape}")


class BoundedArrayValues(StructSchema[Any], ArrayValues):
    """Values are ndarrays of any shape up to a capacity.

    In memory they are Structs of one field. What is written is copied from the array itself, what is read is the field
    of a Struct, and so is what blocks hand out.
    """

    part = "array"
    decode = staticmethod(operator.attrgetter("array"))

    def __init__(self, description: ArraySchema[Any], layout: Layout, *, described: bool = False) -> None:
        super().__init__(description, layout, described=described)
        self.struct = self._struct = struct_of(layout) if self._of is None else struct_around(layout, self._of)
        self._field = layout.fields[0]
        self._free = description.free
        self._fixed = description.shape[self._free :]

    def make_array(self, used: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return an array with so many items along the axes that vary, for the core to fill, and its bytes."""
        shape = (*used, *self._fixed)
        memory = np.empty(math.prod(shape) * self._dtype.itemsize, np.uint8)
        return self._array(shape, self._dtype, memory), memory

    def counts_of(self, shape: Any) -> bytes:
        if shape is None:
            raise TypeError(f"loan: expected the array's shape, as in loan(shape={self._field.shape}), found none")
        used = whole_shape("loan", self._field, shape)
        return np.array(used[: self._field.free], self._field.count_dtype).tobytes()

    def refuse_shape(self, value: Any, used: tuple[int, ...], version: int) -> NoReturn:
        shape = (*used, *self._shape[len(used) :])
        raise FieldValueError(
            f"read_into: expected an array of shape {shape}, which version {version} has, found shape {value.shape}; "
            "read() returns one of whatever shape there is"
        )

    @property
    def _shown_shape(self) -> str:
        return shown_room(self._field)

    def refuse_room(self, value: Any) -> NoReturn:
        self._refuse(value, "write")

    def _is_alike(self, array: NDArray[Any]) -> bool:  # as far as the core does not look itself, at the free axes
        return array.dtype == self._dtype and array.shape[self._free :] == self._fixed
