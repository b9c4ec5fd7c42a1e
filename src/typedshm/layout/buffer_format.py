"""Buffer formats: a Layout in the words of PEP 3118, by which NumPy and memoryview know the fields of a Struct."""

from typedshm.layout.checks import COUNT_SIZE
from typedshm.layout.kinds import KINDS, STRUCT
from typedshm.layout.layout import Layout, LayoutField

_CODES = {
    "i8": "b",
    "i16": "h",
    "i32": "i",
    "i64": "q",
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "f16": "e",
    "f32": "f",
    "f64": "d",
    "c64": "Zf",
    "c128": "Zd",
    "bool": "?",
    "bool32": "I",
    "utf8": "s",
    "latin1": "s",
    "ascii": "s",
    "ansi": "s",
    "utf16": "H",
    "utf32": "w",
    "bytes": "x",
}

_COUNTS = {"M8": "q", "m8": "q", "i4": "i", "u4": "I"}


def struct_format(layout: Layout) -> str:
    """Return the format of a Struct's buffer: NumPy makes the layout's dtype of it, with numbers for timestamps.

    NumPy takes a Struct in a list for a scalar, and assigns it to every field, which numbers, text and arrays refuse.
    What a bool or raw bytes make of it is wrong. So a Struct of nothing else has a format that NumPy refuses.
    """
    text = buffer_format(layout)
    return text if _refuses_scalars(layout) else f"{text} of bools or bytes; use np.frombuffer(struct, type(struct))"


def _refuses_scalars(layout: Layout) -> bool:
    return any(
        field.shape
        or (_refuses_scalars(field.struct) if field.struct is not None else field.kind not in _TAKE_ANYTHING)
        for field in layout.fields
    )


_TAKE_ANYTHING = ("bool", "bytes")


def buffer_format(layout: Layout) -> str:
    """Return the format of a layout's bytes by the rules of PEP 3118."""
    parts: list[str] = []
    end = 0
    for field in layout.fields:
        if field.offset > end:
            parts.append(f"{field.offset - end}x")
        if field.free:
            order = "<" if field.byte_order == "little" else ">"
            counts = f"({field.free})" if field.free > 1 else ""
            gap = field.start - field.offset - COUNT_SIZE * field.free
            parts.append(f"{counts}{order}I:{field.used_name}:" + (f"{gap}x" if gap else ""))
        parts.append(f"{_format_of(field)}:{field.name}:")
        end = field.end
    if layout.size > end:
        parts.append(f"{layout.size - end}x")
    return f"T{{{''.join(parts)}}}"


def _format_of(field: LayoutField) -> str:
    shape, count = field.shape, ""
    if field.kind == "utf16":  # code units, as in the dtype
        shape = (*shape, field.length)
    elif field.length:
        count = str(field.length)
    dimensions = f"({','.join(map(str, shape))})" if shape else ""
    if field.kind == STRUCT and field.struct is not None:
        return f"{dimensions}{buffer_format(field.struct)}"
    order = "<" if field.byte_order == "little" else ">"
    code = "s" if field.face == "S" else _CODES.get(field.kind)
    if code is None:  # there is no code for times: the count
        code = _COUNTS[KINDS[field.kind].dtype[:2]]
    return f"{dimensions}{order}{count}{code}"
