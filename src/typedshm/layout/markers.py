"""The annotation vocabulary: what a class says of its fields beside their types.

A field is a Python type, as checkers see it, plus metadata that gives it a size::

    speed: Annotated[f32, Unit("m/s")]                     # f32 is Annotated[float, Scalar("f4")]
    driver: Annotated[str, Utf8(32)]
    wheels: Annotated[NDArray[np.float32], Shape(4)]
"""

from typing import Annotated, Any, cast

from typedshm import hooks
from typedshm.errors import SchemaError
from typedshm.frozen import Frozen
from typedshm.layout.kinds import BY_CODE, Kind


def _whole_number(where: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SchemaError(f"{where}: expected a whole number of at least {least}, found {value!r}")


def _text(where: str, value: object) -> None:
    if not isinstance(value, str):
        raise SchemaError(f"{where}: expected text, found {value!r}")


class _Value(Frozen):
    """Base of the metadata that gives a value its size; pydantic validates what is annotated with it."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return hooks.annotation_schema(self, source, handler)


class Scalar(_Value):
    """A number of a fixed width.

    Parameters
    ----------
    code : str
        ``i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16`` or ``b1``: signed, unsigned, float, complex or bool, and the
        number of bytes. It also gives an ``IntEnum`` or ``IntFlag`` its width: ``Annotated[Gear, Scalar("u1")]``.
    """

    __slots__ = ("code",)
    __match_args__ = ("code",)
    code: str

    def __init__(self, code: str) -> None:
        super().__init__(code)
        if code not in BY_CODE or self.kind.name == "timestamp":
            codes = " ".join(known for known in BY_CODE if known != "M8[ns]")
            raise SchemaError(f"Scalar({code!r}): no such code; expected one of {codes}")

    @property
    def kind(self) -> Kind:
        """The row of :data:`~typedshm.layout.kinds.KINDS` this code stands for."""
        return BY_CODE[self.code]


class Counted(_Value):
    """Base of the metadata that says how many: ``n``, at least 1."""

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int

    def __init__(self, n: int) -> None:
        super().__init__(n)
        _whole_number(repr(self), n, 1)


class Utf8(Counted):
    """Text in at most ``n`` bytes of UTF-8, padded with NUL; all ``n`` may be used."""

    __slots__ = ()


class Utf16(Counted):
    """Text in at most ``n`` 16-bit code units of UTF-16 (Windows' ``wchar_t``), padded with NUL; all may be used."""

    __slots__ = ()


class Utf32(Counted):
    """Text of at most ``n`` characters in UTF-32 (``wchar_t`` elsewhere), padded with NUL; all may be used."""

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
        The Struct each item is, for ``NDArray[np.void]``.
    """

    __slots__ = ("dims", "of")
    __match_args__ = ("dims", "of")
    dims: tuple[int, ...]
    of: type | None

    def __init__(self, *dims: int, of: type | None = None) -> None:
        if not dims:
            raise SchemaError("Shape(): expected at least one dimension, found none")
        for dim in dims:
            _whole_number(f"Shape({', '.join(map(repr, dims))})", dim, 1)
        if of is not None and not isinstance(cast("object", of), type):
            raise SchemaError(f"Shape(): expected a class for of, found {of!r}")
        super().__init__(dims, of)

    def __repr__(self) -> str:
        of = f", of={self.of.__name__}" if self.of else ""
        return f"Shape({', '.join(map(repr, self.dims))}{of})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _shape, self._said


def _shape(dims: tuple[int, ...], of: type | None) -> Shape:
    return Shape(*dims, of=of)


class Timestamp(Frozen):
    """A moment: a 64-bit count of nanoseconds since 1970-01-01 UTC, so from the year 1678 to 2262.

    ``Annotated[np.datetime64, Timestamp()]`` reads as ``np.datetime64`` in nanoseconds,
    ``Annotated[datetime, Timestamp()]`` as an aware UTC ``datetime``, rounded down to microseconds. Both are set from
    either type; finer ``np.datetime64`` units are rounded down, and a naive ``datetime`` is refused.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    @classmethod  # so that the bare class in Annotated will do
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return hooks.annotation_schema(cls(), source, handler)


class Unit(Frozen):
    """The physical unit of a number, such as ``"m/s"``. It is part of the layout's identity."""

    __slots__ = ("text",)
    __match_args__ = ("text",)
    text: str

    def __init__(self, text: str) -> None:
        _text("Unit()", text)
        super().__init__(text)


class Doc(Frozen):
    """What the field means, for people. It is not part of the layout's identity."""

    __slots__ = ("text",)
    __match_args__ = ("text",)
    text: str

    def __init__(self, text: str) -> None:
        _text("Doc()", text)
        super().__init__(text)


class Offset(Frozen):
    """Pins the field to byte ``n`` of the struct, for layouts that other programs defined."""

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int

    def __init__(self, n: int) -> None:
        super().__init__(n)
        _whole_number(repr(self), n, 0)


i8 = Annotated[int, Scalar("i1")]
i16 = Annotated[int, Scalar("i2")]
i32 = Annotated[int, Scalar("i4")]
i64 = Annotated[int, Scalar("i8")]
u8 = Annotated[int, Scalar("u1")]
u16 = Annotated[int, Scalar("u2")]
u32 = Annotated[int, Scalar("u4")]
u64 = Annotated[int, Scalar("u8")]
f16 = Annotated[float, Scalar("f2")]
f32 = Annotated[float, Scalar("f4")]
f64 = Annotated[float, Scalar("f8")]
c64 = Annotated[complex, Scalar("c8")]
c128 = Annotated[complex, Scalar("c16")]
