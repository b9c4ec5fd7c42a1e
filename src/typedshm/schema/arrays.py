"""Bare arrays as schemas."""

import functools
import math
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload

import numpy as np

from typedshm.errors import SchemaError, quoted
from typedshm.frozen import Frozen, frozen
from typedshm.layout.checks import COUNT_SIZE
from typedshm.layout.dimensions import UpTo, shape_of
from typedshm.layout.kinds import STRUCT
from typedshm.layout.layout import Layout, LayoutField
from typedshm.layout.placement import round_up
from typedshm.struct.conversion import whole_shape
from typedshm.struct.struct import Struct, StructMeta
from typedshm.struct.struct_array import struct_array

A = TypeVar("A", bound=np.generic)
V = TypeVar("V")

NDArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[A]]
"""``numpy.typing.NDArray``, without that module, which takes a millisecond to import."""


#: The items of arrays whose shape varies start at a line of the processor's caches, as those of one shape do.
LINE = 64


class SchemaSource(Generic[V]):
    """A schema that is no class: ``create(name, source)`` returns a ``Region[V]``."""

    __slots__ = ()


@frozen
class ArraySchema(Frozen, SchemaSource[NDArray[A]], Generic[A]):
    """The schema of a region whose values are bare arrays, as returned by :func:`array`.

    Attributes
    ----------
    dtype : numpy.dtype
        The type of the items.
    shape : tuple of int
        Items along each axis, outermost first; at least one dimension.
    of : type or None
        The Struct class of the items, if they are Structs.
    free : int
        How many of the first axes vary, up to the length that `shape` has; 0 if none does.
    """

    __match_args__ = ("dtype", "shape", "of", "free")
    dtype: "np.dtype[A]"
    """The type of the items."""
    shape: tuple[int, ...]
    """Items along each axis, outermost first."""
    of: type[Struct] | None
    """The Struct class of the items, if they are Structs."""
    free: int
    """How many of the first axes vary, up to the length that ``shape`` has; 0 if none does."""

    def __init__(
        self, dtype: "np.dtype[A]", shape: tuple[int, ...], of: type[Struct] | None = None, free: int = 0
    ) -> None:
        super().__init__(dtype, shape, of, free)

    @functools.cached_property
    def layout(self) -> Layout:
        """The layout of the bytes: a struct with one field, named ``array``."""
        count = math.prod(self.shape)
        if self.of is not None:
            item, alignment, pack = (
                LayoutField("array", STRUCT, 0, 0, struct=self.of.layout),
                self.of.layout.alignment,
                None,
            )
        else:
            single = Layout.from_dtype(np.dtype([("array", self.dtype)]), "array")
            (item,), alignment, pack = single.fields, single.alignment, single.pack
        start = round_up(COUNT_SIZE * self.free, LINE) if self.free else 0
        size = start + count * self.dtype.itemsize
        item = item.changed(shape=self.shape, size=size, free=self.free, data_offset=start)
        return Layout("array", (item,), size, alignment, pack)

    def zeros(self, *shape: int) -> NDArray[A]:
        """Return an array of zero bytes to fill and to write; its items are Structs if the schema's are.

        Parameters
        ----------
        *shape : int
            The array's shape, if some axes vary; without it, the largest that there can be.
        """
        shape = whole_shape("zeros", self.layout.fields[0], shape) if shape else self.shape
        made = np.zeros(shape, self.dtype)
        return made if self.of is None else cast("NDArray[A]", made.view(struct_array(self.of)))


@overload
def array(dtype: type[A], *shape: int | UpTo) -> ArraySchema[A]: ...
@overload
def array(dtype: "np.dtype[A]", *shape: int | UpTo) -> ArraySchema[A]: ...
@overload
def array(dtype: type[Struct], *shape: int | UpTo) -> ArraySchema[np.void]: ...
@overload
def array(dtype: str, *shape: int | UpTo) -> ArraySchema[Any]: ...
def array(dtype: Any, *shape: int | UpTo) -> ArraySchema[Any]:
    """Describe bare arrays as the values of a region: ``create("lut", array(np.float32, 1024, 1024))``.

    Parameters
    ----------
    dtype : type, numpy.dtype, str or Struct class
        The type of the items: numbers, bool, ``S``, ``U``, ``V``, ``M8[ns]``, a structured dtype, or a Struct.
    *shape : int
        Items along each axis, outermost first; at least one dimension. For a single value declare a Struct. Or
        ``UpTo(…)``, if the shape is part of the value: ``array(np.uint8, UpTo(1080, 1920, 3, free=2))``.

    Raises
    ------
    SchemaError
        If the dtype has no portable form, or the shape is invalid.
    """
    if not shape:
        raise SchemaError("array: expected one or more dimensions as the shape, found none")
    where = f"array(…, {', '.join(map(quoted, shape))})"
    room = next((dim for dim in shape if isinstance(dim, UpTo)), None)
    if room is not None and (len(shape) > 1 or room.of is not None):
        item = room.of
        better = f"array({item.__name__}, {room.changed_of(None)!r})" if item else "all dimensions in the UpTo(…)"
        raise SchemaError(f"{where}: expected {better}, found {', '.join(map(quoted, shape))}")
    dims = shape_of(where, shape) if room is None else room.dims
    of = cast("type[Struct]", dtype) if isinstance(dtype, StructMeta) else None
    if hasattr(dtype, "__dataclass_fields__") or hasattr(dtype, "__pydantic_fields__"):
        raise SchemaError(
            f"array: expected a dtype or a Struct class, found the model or dataclass {quoted(dtype)}; declare it as a "
            "Struct, or put the array into a model: Annotated[NDArray[np.void], Shape(…, of=…)]"
        )
    try:
        resolved: np.dtype[Any] = of.layout.dtype if of is not None else np.dtype(cast("Any", dtype))
    except (TypeError, ValueError) as error:
        reason = "" if isinstance(dtype, int) else f": {error}"  # which repeats it, however long it is
        raise SchemaError(f"array: expected the dtype of one kind of items, found {quoted(dtype)}{reason}") from error
    if resolved.hasobject:
        raise SchemaError(
            f"array: dtype {resolved} has no portable form: its items are Python objects, or refer to some"
        )
    if resolved.subdtype is not None:
        raise SchemaError(
            f"array: expected the dtype of one item, found the subarray {resolved}; move its dimensions into the shape"
        )
    schema = ArraySchema(resolved, dims, of, 0 if room is None else room.free)
    try:
        _ = schema.layout  # refuse now what cannot be shared
    except SchemaError as error:
        raise SchemaError(str(error).replace("array.array:", "array:", 1)) from None
    return schema
