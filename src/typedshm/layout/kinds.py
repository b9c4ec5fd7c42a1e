"""Kinds: the table of all types that can be stored."""

import ctypes
from typing import Any, Literal, TypeAlias

import numpy as np

from typedshm.frozen import Frozen, frozen

ByteOrder: TypeAlias = Literal["little", "big"]


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
    """

    __match_args__ = ("name", "dtype", "size", "alignment", "ctype", "python", "sized", "parts")
    name: str
    dtype: str
    size: int
    alignment: int
    ctype: Any
    python: type
    sized: bool = False
    parts: int = 1

    def ctypes_type(self, length: int, byte_order: ByteOrder) -> Any:
        """Return the ctypes type of one whole item in the given byte order."""
        # one-byte types are their own swapped form, and c_bool lacks the attribute
        unit = getattr(self.ctype, "__ctype_be__" if byte_order == "big" else "__ctype_le__", self.ctype)
        count = length if self.sized else self.parts
        return unit * count if self.sized or self.parts > 1 else unit


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
        Kind("timestamp", "M8[ns]", 8, 8, ctypes.c_int64, np.datetime64),
        Kind("utf8", "S", 1, 1, ctypes.c_char, str, sized=True),
        Kind("utf16", "u2", 2, 2, ctypes.c_uint16, str, sized=True),
        Kind("utf32", "U", 4, 4, ctypes.c_uint32, str, sized=True),
        Kind("bytes", "V", 1, 1, ctypes.c_ubyte, bytes, sized=True),
    )
}

#: The kind of nested structs, which has no row in :data:`KINDS`: its size is that of the nested layout.
STRUCT = "struct"

BY_CODE: dict[str, Kind] = {kind.dtype: kind for kind in KINDS.values() if not kind.sized}


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


def encoding_of(kind: str, byte_order: ByteOrder = "little") -> str:
    """Return the name of the encoding of a text kind."""
    units = {"utf8": "utf-8", "utf16": "utf-16", "utf32": "utf-32"}[kind]
    return units if kind == "utf8" else f"{units}-{'le' if byte_order == 'little' else 'be'}"
