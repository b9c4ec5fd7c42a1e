"""Conditions over the head of a memory and its size, by which documents choose layouts and tell states apart."""

from typing import Any

from typedshm.errors import SchemaError, quoted
from typedshm.foreign.head import FieldValue, Head, has_field, place_of
from typedshm.frozen import Frozen, frozen
from typedshm.layout.json_checks import any_text, object_of, refused, whole
from typedshm.layout.layout import Layout

_LEAST, _MOST = -(2**63), 2**64 - 1


@frozen
class Condition(Frozen):
    """What a field of the head, or the size of the memory, has to be.

    Attributes
    ----------
    field : str
        The path of a field; empty: the size of the memory in bytes.
    equals : int, float, str or None
        The value; raw bytes are compared with the text as ASCII, without NUL at their end.
    at_least, at_most : int or None
        Bounds of a number.
    mask : int or None
        The bits of an integer that are compared.
    """

    __match_args__ = ("field", "equals", "at_least", "at_most", "mask")
    field: str
    """The path of a field; empty: the size of the memory."""
    equals: FieldValue | None = None
    """The value that it has."""
    at_least: int | None = None
    """The smallest number."""
    at_most: int | None = None
    """The largest number."""
    mask: int | None = None
    """The bits that are compared."""

    def holds(self, head: Head, size: int) -> bool:
        """Return True if it holds for a private copy of the head, in a memory of `size` bytes.

        A condition over a field that the head does not have, or that its copy ends before, does not hold.
        """
        value = head.value(self.field) if self.field else size
        if value is None:
            return False
        if self.mask is not None:
            value = value & self.mask if isinstance(value, int) else value
        if isinstance(value, bytes):
            value = value.rstrip(b"\0").decode("latin-1")
        if self.equals is not None and value != self.equals:
            return False
        if self.at_least is None and self.at_most is None:
            return True
        if isinstance(value, str):
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def check(self, layout: Layout) -> None:
        """Refuse a layout that has no such field, or one that cannot be compared so.

        Raises
        ------
        SchemaError
            The message has the path of the field.
        """
        if not self.field:
            return
        place = place_of(layout, self.field)
        numbers = [self.at_least, self.at_most, self.mask]
        is_text = isinstance(self.equals, str)
        if is_text is place.is_number or (not place.is_number and any(number is not None for number in numbers)):
            wanted = "text" if is_text else "a number"
            raise SchemaError(f"{quoted(self.field)} is {place.kind}, which is never {wanted}")
        if self.mask is not None and not place.is_integer:
            raise SchemaError(f"{quoted(self.field)} is {place.kind}, and only an integer has a mask")

    def fits(self, layout: Layout) -> bool:
        """Return True if a layout has its field."""
        return not self.field or has_field(layout, self.field)

    def __str__(self) -> str:
        """Return it as people write it: ``version ≥ 2``, ``status & 1 = 0``."""
        name = self.field or "size"
        if self.mask is not None:
            name += f" & {self.mask:#x}"
        parts = [("=", self.equals), ("≥", self.at_least), ("≤", self.at_most)]
        return " and ".join(f"{name} {sign} {value!r}" for sign, value in parts if value is not None)


def _value(value: Any) -> FieldValue:
    if type(value) is str:
        return str(any_text(value))
    if type(value) is bool:
        return int(value)
    if type(value) not in (int, float) or value - value != 0 or not _LEAST <= value <= _MOST:
        raise refused("text, or a number that 64 bits can hold", value)
    return value  # type: ignore[no-any-return]


_bound, _mask = whole(_LEAST, _MOST), whole(1, _MOST)


def _make(field: str | None, size: Condition | None, **compared: Any) -> Condition:
    compared["equals"] = compared.pop("is")
    given = [name for name in ("equals", "at_least", "at_most") if compared[name] is not None]
    if (field is None) == (size is None) or field == "":
        raise refused('either a "field" or a "size"', field or "both" if size is not None else "none")
    if size is not None:
        if given or compared["mask"] is not None:
            raise refused('no more than a "size", which has its bounds inside', given or ["mask"])
        return size
    if not given:
        raise refused('"is", "at_least" or "at_most"', "none of them")
    if compared["mask"] is not None and (given != ["equals"] or type(compared["equals"]) is not int):
        raise refused('with a "mask" an integer "is" and nothing else', given)
    return Condition(field or "", **compared)


def _make_size(at_least: int | None, at_most: int | None) -> Condition:
    if at_least is None and at_most is None:
        raise refused('"at_least" or "at_most"', "none of them")
    return Condition("", at_least=at_least, at_most=at_most)


_size = object_of({"at_least": (whole(0, _MOST), None), "at_most": (whole(0, _MOST), None)}, _make_size)

#: The check of a condition of a document.
condition = object_of(
    {
        "field": (any_text, None),
        "size": (_size, None),
        "is": (_value, None),
        "at_least": (_bound, None),
        "at_most": (_bound, None),
        "mask": (_mask, None),
    },
    _make,
)
