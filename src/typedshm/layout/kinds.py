"""Kinds: the table of all types that can be stored."""

import ctypes
import sys
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np

from typedshm.frozen import Frozen, frozen

ByteOrder: TypeAlias = Literal["little", "big"]

TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]

TimeWidth: TypeAlias = Literal["i4", "u4", "i8"]


@frozen
class Kind(Frozen):
    """One row of :data:`KINDS`: the memory format of one item.

    Attributes
    ----------
    name : str
        The kind's name in layouts and documents.
    dtype : str
        NumPy's code without byte order; for text and raw kinds also without the length.
    size, alignment : int
        In bytes, of one item, or of one code unit of text and raw kinds.
    ctype : type
        The ctypes type of one item, of one code unit, or of one part of a complex number.
    python : type
        The Python type that a field has and type checkers see.
    sized : bool
        True for text and raw kinds, which need a length.
    parts : int
        How many ``ctype`` make one item: 2 for complex numbers.
    unit : str
        What times are counted in: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``; empty for all other kinds.
    arrays : bool
        False if NumPy has no items like these. Their ``dtype`` is then that of the same bytes, of text that of its code
        units.
    """

    __match_args__ = ("name", "dtype", "size", "alignment", "ctype", "python", "sized", "parts", "unit", "arrays")
    name: str
    dtype: str
    size: int
    alignment: int
    ctype: Any
    python: type
    sized: bool = False
    parts: int = 1
    unit: str = ""
    arrays: bool = True

    @property
    def signed(self) -> bool:
        """True if its integers, or the counts of its times, may be negative."""
        return self.dtype[0] in "imM"

    def ctypes_type(self, length: int, byte_order: ByteOrder) -> Any:
        """Return the ctypes type of one whole item in the given byte order."""
        # one-byte types are their own swapped form, and c_bool lacks the attribute
        unit = getattr(self.ctype, "__ctype_be__" if byte_order == "big" else "__ctype_le__", self.ctype)
        count = length if self.sized else self.parts
        return unit * count if self.sized or self.parts > 1 else unit


def _times() -> Iterator[Kind]:
    """Yield the kinds of times: counts since 1970, and between two moments."""
    for unit in ("ns", "us", "ms", "s"):
        for name, code, python in (("timestamp", "M8", np.datetime64), ("duration", "m8", np.timedelta64)):
            yield Kind(name_of_time(name, unit), f"{code}[{unit}]", 8, 8, ctypes.c_int64, python, unit=unit)
            if unit == "s" or name == "duration":  # the others would end in January 1970, or in February
                for width, ctype in (("i4", ctypes.c_int32), ("u4", ctypes.c_uint32)):
                    narrow = name_of_time(name, unit, width)
                    yield Kind(narrow, width, 4, 4, ctype, python, unit=unit, arrays=False)


def name_of_time(name: str, unit: str, width: str = "i8") -> str:
    """Return the kind of times of a unit and a width: ``timestamp``, ``timestamp_s_u32``, ``duration_us``."""
    parts = [name]
    if unit != "ns" or width != "i8":
        parts.append(unit)
    if width != "i8":
        parts.append(f"{width[0]}{8 * int(width[1])}")
    return "_".join(parts)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("i8", "i1", 1, 1, ctypes.c_int8, int),
        Kind("i16", "i2", 2, 2, ctypes.c_int16, int),
        Kind("i32", "i4", 4, 4, ctypes.c_int32, int),
        Kind("i64", "i8", 8, 8, ctypes.c_int64, int),
        Kind("u8", "u1", 1, 1, ctypes.c_uint8, int),
        Kind("u16", "u2", 2, 2, ctypes.c_uint16, int),
        Kind("u32", "u4", 4, 4, ctypes.c_uint32, int),
        Kind("u64", "u8", 8, 8, ctypes.c_uint64, int),
        Kind("f16", "f2", 2, 2, ctypes.c_uint16, float),
        Kind("f32", "f4", 4, 4, ctypes.c_float, float),
        Kind("f64", "f8", 8, 8, ctypes.c_double, float),
        Kind("c64", "c8", 8, 4, ctypes.c_float, complex, parts=2),
        Kind("c128", "c16", 16, 8, ctypes.c_double, complex, parts=2),
        Kind("bool", "b1", 1, 1, ctypes.c_bool, bool),
        Kind("bool32", "u4", 4, 4, ctypes.c_uint32, bool, arrays=False),
        *_times(),
        Kind("utf8", "S", 1, 1, ctypes.c_char, str, sized=True),
        Kind("latin1", "S", 1, 1, ctypes.c_char, str, sized=True),
        Kind("ascii", "S", 1, 1, ctypes.c_char, str, sized=True),
        Kind("ansi", "S", 1, 1, ctypes.c_char, str, sized=True),
        Kind("utf16", "u2", 2, 2, ctypes.c_uint16, str, sized=True, arrays=False),
        Kind("utf32", "U", 4, 4, ctypes.c_uint32, str, sized=True),
        Kind("bytes", "V", 1, 1, ctypes.c_ubyte, bytes, sized=True),
    )
}

#: The kind of nested structs, which has no row in :data:`KINDS`: its size is that of the nested layout.
STRUCT = "struct"

#: The kinds that NumPy knows by themselves.
BY_CODE: dict[str, Kind] = {kind.dtype: kind for kind in KINDS.values() if not kind.sized and kind.arrays}

#: The numbers that ``Scalar`` can name.
SCALARS: dict[str, Kind] = {code: kind for code, kind in BY_CODE.items() if not kind.unit} | {"b4": KINDS["bool32"]}


def kind_of_dtype(dtype: "np.dtype[Any]") -> Kind | None:
    """Return the kind whose items have this unstructured NumPy dtype, or None if there is none."""
    if dtype.kind in "SUV" and issubclass(dtype.type, np.flexible):  # types of other packages say V, too
        return KINDS[{"S": "bytes", "U": "utf32", "V": "bytes"}[dtype.kind]]
    if dtype.char in "gG":
        return None  # the format of C's long double depends on the system; on Windows it is f64's
    return BY_CODE.get(dtype.str[1:])


def kind_of_scalar(scalar: Any) -> Kind | None:
    """Return the kind of a NumPy scalar type that needs no length, or None if there is none."""
    dtype: np.dtype[Any] = np.dtype(scalar)
    return None if dtype.kind in "SUV" else kind_of_dtype(dtype)


_PAGES = (437, 720, 737, 775, 850, 852, 855, 857, 858, *range(860, 867), 869, 874, 932, 949, 950, *range(1250, 1259))
_PARTS_OF_ISO = (*range(1, 12), *range(13, 17))
_OTHER_PAGES = ("gbk", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "koi8-r", "koi8-u", "mac-roman")

#: The code pages that ``Ansi`` can name, as Python calls them: of Windows (ANSI and OEM), of ISO and of Unix.
CODE_PAGES = frozenset(
    (*(f"cp{number}" for number in _PAGES), *(f"iso8859-{part}" for part in _PARTS_OF_ISO), *_OTHER_PAGES)
)

#: The encoding of text in the system's code page. Elsewhere it is the most common one: of whatever wrote such text, a
#: program for Windows, nobody can tell which one it had.
SYSTEM_CODE_PAGE = "mbcs" if sys.platform == "win32" else "cp1252"

#: The encodings of the kinds of text but ``ansi``, of wide ones without the byte order.
ENCODINGS = {"utf8": "utf-8", "utf16": "utf-16", "utf32": "utf-32", "latin1": "latin-1", "ascii": "ascii"}


def encoding_of(kind: str, byte_order: ByteOrder = "little", code_page: str = "") -> str:
    """Return the name of the encoding of a text kind, as Python knows it; `code_page` is for ``ansi``."""
    if kind == "ansi":
        return code_page or SYSTEM_CODE_PAGE
    order = "" if KINDS[kind].size == 1 else "-le" if byte_order == "little" else "-be"
    return ENCODINGS[kind] + order
