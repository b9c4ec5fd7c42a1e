"""Dimensions: the markers that give an array its shape, fixed or up to a capacity."""

from collections.abc import Callable
from typing import Any, Self, TypeVar, cast

from typedshm.errors import SchemaError, quoted
from typedshm.layout.markers import Size, whole_number

D = TypeVar("D", bound="Dimensions")


def shape_of(where: str, dims: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the dimensions of an array, each a whole number of at least 1, or raise SchemaError."""
    if len(dims) == 1 and isinstance(dims[0], tuple | list):
        given = cast("tuple[object, ...] | list[object]", dims[0])
        raise SchemaError(
            f"{where}: expected a whole number of at least 1 as each argument, found {quoted(given)}; write the "
            f"dimensions without brackets: {', '.join(map(quoted, given))}"
        )
    return tuple(whole_number(where, dim, 1) for dim in dims)


class Dimensions(Size):
    """Base of the markers with the dimensions of an array field."""

    __slots__ = ()
    dims: tuple[int, ...]
    """Items along each axis, outermost first; of an axis that varies the most there can be."""
    of: type | None
    """The Struct class of the items, or None."""
    count: str = ""
    """The field that has the number of used items; empty if there is none."""
    free: int = 0
    """How many of the first axes vary by themselves."""

    def _checked(self, dims: tuple[int, ...], of: object) -> tuple[str, tuple[int, ...]]:
        name = type(self).__name__
        if not dims:
            raise SchemaError(f"{name}(): expected at least one dimension, found none")
        where = f"{name}({', '.join(map(quoted, dims))})"
        dims = shape_of(where, dims)
        if of is not None and not isinstance(of, type):
            raise SchemaError(f"{name}(): expected a Struct class as of=, found {quoted(of)}")
        return where, dims

    def changed_of(self, of: type | None) -> Self:
        """Return the same dimensions of items of another class."""
        return _made(type(self), self.dims, of, self._values[2])

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), *self._values)

    def __repr__(self) -> str:
        of = f", of={self.of.__name__}" if self.of else ""
        count = f", count={self.count!r}" if self.count else ""
        free = f", free={self.free}" if self.free not in (0, len(self.dims)) else ""
        return f"{type(self).__name__}({', '.join(map(repr, self.dims))}{of}{count}{free})"


def _made(marker: Callable[..., D], dims: tuple[int, ...], of: type | None, option: object) -> D:
    *_, name = cast("type[Dimensions]", marker).__match_args__  # dims, of, and what else the marker says
    return marker(*dims, of=of, **{name: option})


class Shape(Dimensions):
    """The fixed shape of an array field.

    Parameters
    ----------
    *dims : int
        Items along each axis, outermost first (C order), each at least 1.
    of : type, optional
        The Struct class of the items, for ``NDArray[np.void]``.
    count : str, optional
        The integer field, of the same Struct or (``"info.cars"``) of one inside it, that says how many items of the
        first axis are used. The field then reads as an array of just those; setting an array sets its count as well.
        A count of more than there is room for is refused when the array is read.
    """

    __slots__ = ("count", "dims", "of")
    __match_args__ = ("dims", "of", "count")

    def __init__(self, *dims: int, of: type | None = None, count: str = "") -> None:
        where, dims = self._checked(dims, of)
        if not isinstance(cast("object", count), str):
            raise SchemaError(f"{where}: expected the name of a field as count=, found {quoted(count)}")
        super().__init__(dims, of, count)


class UpTo(Dimensions):
    """The capacity of an array field whose shape is part of the value.

    ``Annotated[NDArray[np.void], UpTo(200, of=Box)]`` reads as an array of as many boxes as there are, and
    ``UpTo(1080, 1920, 3, free=2)`` as a picture of at most 1080 by 1920, and exactly 3. An array that fits sets the
    shape as well; ``typedshm.resize(t, "boxes", 17)`` makes room to fill. What is read, written and copied is what is
    used, not the capacity.

    In memory, the number of items along each axis that varies is a ``uint32_t`` before the items: of a field ``boxes``
    in C ``uint32_t boxes_used; Box boxes[200];``. The items are packed, in C order. A number of more than there is room
    for, which only a program without typedshm could have stored, is refused when the array is read.

    Parameters
    ----------
    *dims : int
        The most items along each axis, outermost first (C order), each at least 1.
    of : type, optional
        The Struct class of the items, for ``NDArray[np.void]``.
    free : int, optional
        How many of the first axes vary; the others are fixed. Default: all.
    """

    __slots__ = ("dims", "free", "of")
    __match_args__ = ("dims", "of", "free")

    def __init__(self, *dims: int, of: type | None = None, free: int | None = None) -> None:
        where, dims = self._checked(dims, of)
        free = len(dims) if free is None else whole_number(f"{where}: free=", free, 1)
        if free > len(dims):
            raise SchemaError(f"{where}: expected free= to be at most {len(dims)}, the number of axes, found {free}")
        for dim in dims[:free]:
            if dim >= 2**32:
                raise SchemaError(f"{where}: expected less than 4,294,967,296 along an axis that varies, found {dim:,}")
        super().__init__(dims, of, free)
