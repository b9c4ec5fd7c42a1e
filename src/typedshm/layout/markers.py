"""Markers: the metadata that annotations attach to the types of fields.

A field is a Python type, as type checkers see it, plus a marker that gives it a size::

    speed: Annotated[f32, Unit("m/s")]                     # f32 is Annotated[float, Scalar("f4")]
    driver: Annotated[str, Utf8(32)]
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    scans: Annotated[NDArray[np.float32], UpTo(360)]
"""

import codecs
import operator
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, cast

import numpy as np

from typedshm import hooks
from typedshm.errors import SchemaError, quoted
from typedshm.frozen import Frozen
from typedshm.layout.kinds import CODE_PAGES, KINDS, SCALARS, Kind, TimeUnit, TimeWidth, name_of_time

T = TypeVar("T")

Errors: TypeAlias = Literal["strict", "replace"]
"""What becomes of text in memory that does not decode: a refusal of the field, or ``\ufffd`` in place of each byte."""


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


def _text(where: str, value: object) -> None:
    if not isinstance(value, str):
        raise SchemaError(f"{where}: expected text, found {quoted(value)}")


class Size(Frozen):
    """Base of the markers that give a value its size; pydantic validates values with such an annotation."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return hooks.annotation_schema(self, source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        return hooks.annotation_json_schema(schema, handler)


class _Written(Frozen):
    """Base of the markers with options, which are shown and pickled by their names."""

    __slots__ = ()
    _defaults: tuple[object, ...] = ()
    """Of the last attributes: those that have such a value are not shown."""

    def __repr__(self) -> str:
        names, values = self.__match_args__, self._values
        required = len(names) - len(self._defaults)
        shown = [repr(value) for value in values[:required]]
        options = zip(names[required:], values[required:], self._defaults, strict=True)
        shown += [f"{name}={value!r}" for name, value, default in options if value != default]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), dict(zip(self.__match_args__, self._values, strict=True)))


def _made(marker: Callable[..., T], arguments: dict[str, Any]) -> T:
    return marker(**arguments)


class Scalar(_Written, Size):
    """A number of a fixed width.

    It also gives an ``IntEnum`` or ``IntFlag`` its width: ``Annotated[Gear, Scalar("u1")]``.

    Parameters
    ----------
    code : str
        ``i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16``, ``b1`` or ``b4``: signed, unsigned, float, complex or bool (C's
        ``bool``, and the ``BOOL`` of Windows), and the number of bytes.
    open : bool
        Of an enum: a number that it has no member for is read, and can be set, as an int. So a reader gets along with
        whatever a newer writer adds. ``Annotated[Gear | int, Scalar("u1", open=True)]`` says so to type checkers.
    """

    __slots__ = ("code", "open")
    __match_args__ = ("code", "open")
    _defaults = (False,)
    code: str
    """NumPy's code of the type, without the byte order."""
    open: bool
    """Whether an enum may have any number."""

    def __init__(self, code: str, *, open: bool = False) -> None:
        if not isinstance(cast("object", code), str) or code not in SCALARS:
            raise SchemaError(f"Scalar(): expected one of the codes {' '.join(SCALARS)}, found {quoted(code)}")
        if not isinstance(cast("object", open), bool):
            raise SchemaError(f"Scalar({code!r}): expected True or False as open=, found {quoted(open)}")
        super().__init__(code, open)

    @property
    def kind(self) -> Kind:
        """The kind with this code, from :data:`~typedshm.layout.kinds.KINDS`."""
        return SCALARS[self.code]


class Counted(Size):
    """Base of the markers with a capacity."""

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int
    """The capacity, at least 1."""

    def __init__(self, n: int) -> None:
        super().__init__(whole_number(f"{type(self).__name__}({quoted(n)})", n, 1))


class Text(_Written, Size):
    """Base of the kinds of text, which is padded with NUL if shorter than its capacity; it may use all of that.

    Parameters
    ----------
    n : int
        The capacity in code units.
    errors : "strict" or "replace"
        What is read where bytes do not decode: by default the field refuses, ``"replace"`` gives what decodes, and
        ``"\ufffd"`` for the rest. What is set has to fit in either case.
    """

    __slots__ = ("errors", "n")
    __match_args__ = ("n", "errors")
    _defaults: tuple[object, ...] = ("strict",)
    n: int
    """The capacity in code units, at least 1."""
    errors: Errors
    """``"strict"`` or ``"replace"``."""

    def __init__(self, n: int, *, errors: Errors = "strict") -> None:
        super().__init__(*self._checked(n, errors))

    def _checked(self, n: object, errors: object) -> tuple[int, object]:
        where = f"{type(self).__name__}({quoted(n)})"
        if not isinstance(errors, str) or errors not in ("strict", "replace"):
            raise SchemaError(f'{where}: expected "strict" or "replace" as errors=, found {quoted(errors)}')
        return whole_number(where, n, 1), errors


class Utf8(Text):
    """Text of at most ``n`` bytes in UTF-8, padded with NUL if shorter."""

    __slots__ = ()


class Utf16(Text):
    """Text of at most ``n`` 16-bit code units in UTF-16 (``wchar_t`` on Windows), padded with NUL if shorter."""

    __slots__ = ()


class Utf32(Text):
    """Text of at most ``n`` characters in UTF-32 (``wchar_t`` elsewhere), padded with NUL if shorter."""

    __slots__ = ()


class Latin1(Text):
    """Text of at most ``n`` characters in ISO 8859-1: each byte is the character of that number, so that all decode."""

    __slots__ = ()


class Ascii(Text):
    """Text of at most ``n`` characters in ASCII; a byte of 128 or more does not decode."""

    __slots__ = ()


class Ansi(Text):
    """Text of at most ``n`` bytes in a code page, as programs for Windows write ``char[n]``.

    Parameters
    ----------
    n : int
        The capacity in bytes. Some code pages, such as cp932, have characters of two bytes.
    encoding : str, optional
        The code page by any of its names in Python, such as ``"cp1251"`` or ``"windows-1251"``; it is part of the
        layout's identity. Default: that of the system which *reads*, as Windows has for all its programs. Other systems
        have none: there it is cp1252, of Western Europe and America; say which one it is if you know it.
    errors : "strict" or "replace"
        As for all text. Whoever reads text of other programs should want ``"replace"``.
    """

    __slots__ = ("encoding",)
    __match_args__ = ("n", "encoding", "errors")
    _defaults = (None, "strict")
    encoding: str | None
    """The code page as Python names it; None: the system's."""

    def __init__(self, n: int, encoding: str | None = None, *, errors: Errors = "strict") -> None:
        n, found = self._checked(n, errors)
        page = None if encoding is None else _code_page(f"Ansi({n})", encoding)
        super(Text, self).__init__(n, page, found)


def _code_page(where: str, encoding: object) -> str:
    try:
        name = codecs.lookup(encoding).name if isinstance(encoding, str) else None
    except (LookupError, ValueError):  # NUL in the name
        name = None
    if name not in CODE_PAGES:
        raise SchemaError(
            f"{where}: expected a code page such as 'cp1252', 'cp1251' or 'cp932' as encoding, found "
            f"{quoted(encoding)}; Unicode has kinds of its own: Utf8, Utf16, Utf32"
        )
    return name


class Bytes(Counted):
    """Exactly ``n`` raw bytes."""

    __slots__ = ()


class _SchemaOfTime:
    """``__get_pydantic_core_schema__`` of a marker, and of its class, which stands for the marker without arguments."""

    def __get__(self, marker: Any, cls: Any) -> Callable[[Any, Any], Any]:
        return lambda source, handler: hooks.annotation_schema(cls() if marker is None else marker, source, handler)


class Time(_Written):
    """Base of the kinds of times: a count of units.

    Parameters
    ----------
    unit : str
        ``"ns"``, ``"us"``, ``"ms"`` or ``"s"``.
    width : str
        ``"i8"``: 64 bits, of which the smallest number is NaT. In 32 bits, ``"i4"`` signed and ``"u4"`` unsigned, there
        is no NaT.
    """

    __slots__ = ("unit", "width")
    __match_args__ = ("unit", "width")
    _defaults = ("ns", "i8")
    unit: TimeUnit
    """What is counted."""
    width: TimeWidth
    """The integer that has the count, by NumPy's code."""

    __get_pydantic_core_schema__ = _SchemaOfTime()

    def __init__(self, unit: TimeUnit = "ns", width: TimeWidth = "i8") -> None:
        name = type(self).__name__
        if not isinstance(cast("object", unit), str) or unit not in ("ns", "us", "ms", "s"):
            raise SchemaError(f'{name}(): expected "ns", "us", "ms" or "s" as the unit, found {quoted(unit)}')
        if not isinstance(cast("object", width), str) or width not in ("i8", "i4", "u4"):
            raise SchemaError(
                f'{name}(): expected "i8", "i4" or "u4" as the width, found {quoted(width)}; unsigned counts of 64 '
                "bits that are below 2**63 have the same bits as i8"
            )
        super().__init__(unit, width)
        if self.name not in KINDS:
            raise SchemaError(
                f"{self!r}: 32 bits of {unit} end in 1970; expected seconds, or 64 bits; a clock that does not count "
                f"from 1970 has a Duration({unit!r}, {width!r})"
            )

    @property
    def name(self) -> str:
        """The name of the kind, a key of :data:`~typedshm.layout.kinds.KINDS`."""
        return name_of_time(type(self).__name__.lower(), self.unit, self.width)


class Timestamp(Time):
    """A point in time: a count of units since 1970-01-01 UTC; of nanoseconds in 64 bits if not said otherwise.

    ``Annotated[np.datetime64, Timestamp()]`` reads as ``np.datetime64`` of the unit,
    ``Annotated[datetime, Timestamp()]`` as an aware UTC ``datetime``, rounded down to microseconds. Both accept
    either type; what is finer than the unit is rounded down, and a naive ``datetime`` is refused. In 64 bits
    nanoseconds are the years 1678 to 2262, and the other units more than ``datetime`` has; 32 bits are seconds only:
    ``"i4"`` until 2038, ``"u4"`` until 2106.
    """

    __slots__ = ()


class Duration(Time):
    """A time span, or the time of a clock that does not count from 1970: a count of units.

    ``Annotated[np.timedelta64, Duration("ms")]`` reads as ``np.timedelta64`` of the unit,
    ``Annotated[timedelta, Duration("ms")]`` as a ``timedelta``, rounded down to microseconds. Both accept either type;
    what is finer than the unit is rounded down.
    """

    __slots__ = ()


class Missing(Frozen):
    """The number that stands for "none" in memory, for layouts that other programs define.

    ``Annotated[i32 | None, Missing(-1)]`` reads as None where -1 is stored, and None can be set. A float that is not
    declared with ``| None`` has NaN in its place: ``Annotated[f32, Missing(-1)]``. Arrays are memory itself, and have
    no such thing: ``np.where(a == -1, np.nan, a)``.
    """

    __slots__ = ("number",)
    __match_args__ = ("number",)
    number: float
    """What is stored."""

    def __init__(self, number: float) -> None:
        given: Any = number
        shown = quoted(given)
        if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
            raise SchemaError(f"Missing(): expected a number, found {shown}")
        if isinstance(given, int) and not -(2**63) <= given < 2**64:
            raise SchemaError(f"Missing(): expected a number that 64 bits can hold, found {shown}")
        if given - given != 0:
            also = "; NaN says so by itself" if given != given else ""
            raise SchemaError(f"Missing(): expected a finite number, found {shown}{also}")
        super().__init__(given.item() if isinstance(given, np.generic) else given)


class Pad(Frozen):
    """Leaves at least ``n`` bytes free before the field: what C declares as ``char reserved[n]``.

    For layouts that other programs define. Nobody sees these bytes: they are in no comparison and no listing, and zero
    in a new Struct. Free bytes at the end are the class option ``size=``.
    """

    __slots__ = ("n",)
    __match_args__ = ("n",)
    n: int
    """How many bytes, at least 1; the field's alignment may add some."""

    def __init__(self, n: int) -> None:
        super().__init__(whole_number(f"Pad({quoted(n)})", n, 1))


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
