"""Bare arrays as schemas."""

import functools
import math
from typing import Any, Generic, TypeAlias, TypeVar, cast, overload

import numpy as np

from typedshm.errors import SchemaError
from typedshm.frozen import Frozen, frozen
from typedshm.layout.kinds import STRUCT
from typedshm.layout.layout import Layout, LayoutField
from typedshm.struct.struct import Struct, StructMeta

A = TypeVar("A", bound=np.generic)

NDArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[A]]
"""``numpy.typing.NDArray``, without that module, which takes a millisecond to import."""


@frozen
class ArraySchema(Frozen, Generic[A]):
    """The schema of a region whose values are bare arrays; made by :func:`array`.

    Attributes
    ----------
    dtype : numpy.dtype
        Of one item.
    shape : tuple of int
        At least one dimension, each at least 1.
    of : type or None
        The Struct that each item is.
    """

    __match_args__ = ("dtype", "shape", "of")
    dtype: "np.dtype[A]"
    shape: tuple[int, ...]
    of: type[Struct] | None

    def __init__(self, dtype: "np.dtype[A]", shape: tuple[int, ...], of: type[Struct] | None = None) -> None:
        super().__init__(dtype, shape, of)

    @functools.cached_property
    def layout(self) -> Layout:
        """A struct with one field, called ``array``."""
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
        size = count * self.dtype.itemsize
        return Layout("array", (item._replace(shape=self.shape, size=size),), size, alignment, pack)


@overload
def array(dtype: type[A], *shape: int) -> ArraySchema[A]: ...
@overload
def array(dtype: "np.dtype[A]", *shape: int) -> ArraySchema[A]: ...
@overload
def array(dtype: type[Struct], *shape: int) -> ArraySchema[np.void]: ...
@overload
def array(dtype: str, *shape: int) -> ArraySchema[Any]: ...
def array(dtype: Any, *shape: int) -> ArraySchema[Any]:
    """Describe bare arrays as the values of a region: ``create("lut", array(np.float32, 1024, 1024))``.

    Parameters
    ----------
    dtype : type, numpy.dtype, str or Struct class
        Of one item: numbers, bool, ``S``, ``U``, ``V``, ``M8[ns]``, or a structured dtype.
    *shape : int
        Items along each axis, outermost first. An array without dimensions is refused; share a Struct instead.

    Raises
    ------
    SchemaError
        If the dtype has no portable form or the shape is none.
    """
    if not shape or any(not isinstance(dim, int) or dim < 1 for dim in shape):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SchemaError(f"array: expected dimensions, whole numbers of at least 1, found {shape!r}")
    of = cast("type[Struct]", dtype) if isinstance(dtype, StructMeta) else None
    try:
        resolved: np.dtype[Any] = of.layout.dtype if of is not None else np.dtype(cast("Any", dtype))
    except TypeError as error:
        raise SchemaError(f"array: expected a dtype, found {dtype!r}") from error
    if resolved.subdtype is not None:
        raise SchemaError(f"array: the dtype {resolved} is an array itself; put its dimensions into the shape")
    schema = ArraySchema(resolved, shape, of)
    _ = schema.layout  # says now what cannot be shared
    return schema
