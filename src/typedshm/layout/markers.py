"""Markers: the metadata that annotations attach to the types of fields.

A field is a Python type, as type checkers see it, plus a marker that gives it a size::

    speed: Annotated[f32, Unit("m/s")]                     # f32 is Annotated[float, Scalar("f4")]
    driver: Annotated[str, Utf8(32)]
    wheels: Annotated[NDArray[np.float32], Shape(4)]
"""

import operator
from typing import Annotated, Any, cast

from typedshm import hooks
from typedshm.errors import SchemaError, quoted
from typedshm.frozen import Frozen
from typedshm.layout.kinds import BY_CODE, Kind


def whole_number(where: str, value: Any, least: int) -> int:
    """Return a number as an int, NumPy's integers too, or raise SchemaError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is not None and number.bit_length() > 1000:  # more than the messages of whoever uses it could show
        raise SchemaError(f"{where}: expected a whole number of less than 300 digits, found {quoted(value)}")
    if number is None or number < least or value is True:
        raise SchemaError(f"{where}: expected a whole number of at least {least}, found {quoted(value)}")
    return number


def shape_of(where: str, dims: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the dimensions of an array, each a whole number of at least 1, or raise SchemaError."""
    if len(dims) == 1 and isinstance(dims[0], tuple | list):
        given = cast("tuple[object, ...] | list[object]", dims[0])
        raise SchemaError(
            f"{where}: expected a whole number of at least 1 as each argument, found {quoted(given)}; write the "
            f"dimensions without brackets: {', '.join(map(quoted, given))}"
        )
    return tuple(whole_number(where, dim, 1) for dim in dims)


def _text(where: str, value: object) -> None:
    if not isinstance(value, str):
        raise SchemaError(f"{where}: expected text, found {quoted(value)}")


class _Value(Frozen):
    """Base of the markers that give a value its size; pydantic validates values with such an annotation."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return hooks.annotation_schema(self, source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return hooks.annotation_json_schema(schema, handler)


class Scalar(_Value):
    """A number of a fixed width.

    It also gives an ``IntEnum`` or ``IntFlag`` its width: ``Annotated[Gear, Scalar("u1")]``.

    Parameters
    ----------
    code : str
        ``i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16`` or ``b1``: signed, unsigned, float, complex or bool, and the
        number of bytes.
    """

    __slots__ = ("code",)
    __match_args__ = ("code",)
    code: str
    """NumPy's code of the type, without the byte order."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        if not isinstance(cast("object", code), str) or code not in BY_CODE or self.kind.name == "timestamp":
            codes = " ".join(known for known in BY_CODE if known != "M8[ns]")
            raise SchemaError(f"Scalar(): expected one of the codes {codes}, found {quoted(code)}")

    @property
    def kind(self) -> Kind:
        """The kind with this code, from :data:`~typedshm.layout.kinds.KINDS`."""
        return BY_CODE[self.code]


class Counted(_Value):
    """Base of the markers with a capacity."""

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int
    """The capacity, at least 1."""

    def __init__(self, n: int) -> None:
        super().__init__(whole_number(f"{type(self).__name__}({quoted(n)})", n, 1))


class Utf8(Counted):
    """Text of at most ``n`` bytes in UTF-8, padded with NUL if shorter."""

    __slots__ = ()


class Utf16(Counted):
    """Text of at most ``n`` 16-bit code units in UTF-16 (``wchar_t`` on Windows), padded with NUL if shorter."""

    __slots__ = ()


class Utf32(Counted):
    """Text of at most ``n`` characters in UTF-32 (``wchar_t`` elsewhere), padded with NUL if shorter."""

    __slots__ = ()


class Bytes(Counted):
    """Exactly ``n`` raw bytes."""

    __slots__ = ()


class Shape(_Value):
    """The fixed shape of an array field.

    Parameters
    ----------
    *dims : int
        Items along each axis, outermost first (C order), each at least 1.
    of : type, optional
        The Struct class of the items, for ``NDArray[np.void]``.
    """

    __slots__ = ("dims", "of")
    __match_args__ = ("dims", "of")
    dims: tuple[int, ...]
    """Items along each axis, outermost first."""
    of: type | None
    """The Struct class of the items, or None."""

    def __init__(self, *dims: int, of: type | None = None) -> None:
        if not dims:
            raise SchemaError("Shape(): expected at least one dimension, found none")
        where = f"Shape({', '.join(map(quoted, dims))})"
        dims = shape_of(where, dims)
        if of is not None and not isinstance(cast("object", of), type):
            raise SchemaError(f"Shape(): expected a Struct class as of=, found {quoted(of)}")
        super().__init__(dims, of)

    def __repr__(self) -> str:
        of = f", of={self.of.__name__}" if self.of else ""
        return f"Shape({', '.join(map(repr, self.dims))}{of})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape, self._values


def _shape(dims: tuple[int, ...], of: type | None) -> Shape:
    return Shape(*dims, of=of)


class Timestamp(Frozen):
    """A point in time: a 64-bit count of nanoseconds since 1970-01-01 UTC, for the years 1678 to 2262.

    ``Annotated[np.datetime64, Timestamp()]`` reads as ``np.datetime64`` in nanoseconds,
    ``Annotated[datetime, Timestamp()]`` as an aware UTC ``datetime``, rounded down to microseconds. Both accept
    either type; ``np.datetime64`` values in finer units are rounded down, and a naive ``datetime`` is refused.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    @classmethod  # so that Annotated also accepts the class itself
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return hooks.annotation_schema(cls(), source, handler)


class Unit(Frozen):
    """The physical unit of a number, such as ``"m/s"``. It is part of the layout's identity."""

    __slots__ = ("text",)
    __match_args__ = ("text",)
    text: str
    """The unit's symbol."""

    def __init__(self, text: str) -> None:
        _text("Unit()", text)
        super().__init__(text)


class Doc(Frozen):
    """A description of the field, for people. It is not part of the layout's identity."""

    __slots__ = ("text",)
    __match_args__ = ("text",)
    text: str
    """The description."""

    def __init__(self, text: str) -> None:
        _text("Doc()", text)
        super().__init__(text)


class Offset(Frozen):
    """Places the field at byte ``n`` of the struct, for layouts that other programs define."""

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int
    """The field's first byte, from the beginning of the struct."""

    def __init__(self, n: int) -> None:
        super().__init__(whole_number(f"Offset({quoted(n)})", n, 0))


i8 = Annotated[int, Scalar("i1")]
"""A signed integer of 8 bits."""
i16 = Annotated[int, Scalar("i2")]
"""A signed integer of 16 bits."""
i32 = Annotated[int, Scalar("i4")]
"""A signed integer of 32 bits."""
i64 = Annotated[int, Scalar("i8")]
"""A signed integer of 64 bits."""
u8 = Annotated[int, Scalar("u1")]
"""An unsigned integer of 8 bits."""
u16 = Annotated[int, Scalar("u2")]
"""An unsigned integer of 16 bits."""
u32 = Annotated[int, Scalar("u4")]
"""An unsigned integer of 32 bits."""
u64 = Annotated[int, Scalar("u8")]
"""An unsigned integer of 64 bits."""
f16 = Annotated[float, Scalar("f2")]
"""A float of 16 bits."""
f32 = Annotated[float, Scalar("f4")]
"""A float of 32 bits."""
f64 = Annotated[float, Scalar("f8")]
"""A float of 64 bits."""
c64 = Annotated[complex, Scalar("c8")]
"""A complex number of 64 bits."""
c128 = Annotated[complex, Scalar("c16")]
"""A complex number of 128 bits."""
