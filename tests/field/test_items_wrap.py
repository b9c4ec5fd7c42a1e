"""Setting a field wraps and cuts off nothing; what is assigned to the items of an array is NumPy's own doing."""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from typedshm import Bytes, FieldOverflow, FieldTypeError, FieldValueError, Shape, Struct, Utf8, Utf32


class Everything(Struct):
    u: Annotated[NDArray[np.uint8], Shape(3)]
    i: Annotated[NDArray[np.int32], Shape(3)]
    b: Annotated[NDArray[np.bool_], Shape(3)]
    f: Annotated[NDArray[np.float32], Shape(3)]
    c: Annotated[NDArray[np.complex64], Shape(3)]
    s: Annotated[NDArray[np.bytes_], Utf8(2), Shape(3)]
    w: Annotated[NDArray[np.str_], Utf32(2), Shape(3)]
    v: Annotated[NDArray[np.void], Bytes(2), Shape(3)]
    p: Annotated[NDArray[np.bytes_], Bytes(2), Shape(3)]
    t: Annotated[NDArray[np.datetime64], Shape(3)]
    m: Annotated[NDArray[np.uint8], Shape(2, 2)]


def numbers() -> Iterator[int]:
    yield from (1, 2, 3)


REFUSED: list[tuple[str, Any]] = [
    ("u", [300, -1, 2.7]),
    ("u", [300, 0, 0]),
    ("u", [0, -1, 0]),
    ("u", [0, 2.7, 0]),
    ("u", [0, float("nan"), 0]),
    ("u", [0, 10**30, 0]),
    ("u", (0, True, "1")),
    ("u", np.array([300, 0, 0])),
    ("u", np.array([300.0, 1, 2])),
    ("u", np.array([1, 2, 3], np.int64)),
    ("u", np.array([1, 2, 3], np.int8)),
    ("u", numbers()),
    ("u", {1, 2, 3}),
    ("u", [[1], [2], [3]]),
    ("u", [1, 2]),
    ("u", 7),
    ("u", None),
    ("u", [None, 1, 2]),
    ("i", [2**31, 0, 0]),
    ("i", np.array([2**31, 0, 0], np.uint32)),
    ("b", [2, 0, 0]),
    ("b", ["yes", "no", ""]),
    ("b", np.array([2, 0, 1], np.uint8)),
    ("f", [1e300, 0, 0]),
    ("f", [1j, 0, 0]),
    ("f", ["1.5", "0", "0"]),
    ("f", np.array([1e300, 0, 0])),
    ("c", [1e300j, 0, 0]),
    ("s", ["abc", "", ""]),
    ("s", [b"abc", b"", b""]),
    ("s", np.array([b"abc", b"", b""])),
    ("w", ["abc", "", ""]),
    ("w", np.array(["abc", "", ""])),
    ("v", [b"abc", b"ab", b"ab"]),
    ("v", [b"a", b"ab", b"ab"]),
    ("p", [b"abc", b"ab", b"ab"]),
    ("p", np.array([b"abc", b"ab", b"ab"])),
    ("t", np.array(["2024-01-01", "2024-01-02", "NaT"], "M8[s]")),
    ("t", [np.datetime64("1066"), np.datetime64(0, "s"), np.datetime64(0, "s")]),
    ("m", [[1, 2], [3, 256]]),
    ("m", [[1, 2], [3]]),
    ("m", ((1, 2), (3, 4.5))),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_the_setter_refuses_what_does_not_fit_and_changes_nothing(name: str, value: Any) -> None:
    everything = Everything.zero()
    with pytest.raises((FieldTypeError, FieldValueError, FieldOverflow), match=rf"^Everything\.{name}: "):
        setattr(everything, name, value)
    assert everything == Everything.zero() or name == "t"
    assert not any(bytes(everything))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "value", "reads"),
    [
        ("u", [255, True, 0], [255, 1, 0]),
        ("u", np.array([1, 2, 3], np.uint8)[::-1], [3, 2, 1]),
        ("f", [1, 2.5, 10**6], [1, 2.5, 1e6]),
        ("f", np.array([1, 2, 3], ">f4"), [1, 2, 3]),
        ("c", [1, 2.5, 1j], [1, 2.5, 1j]),
        ("s", ["ab", "é", ""], [b"ab", "é".encode(), b""]),
        ("w", ["ab", "é", ""], ["ab", "é", ""]),
        ("p", [b"ab", b"a", b""], [b"ab", b"a", b""]),
        ("m", ((1, 2), [3, 4]), [[1, 2], [3, 4]]),
    ],
)
def test_the_setter_takes_what_fits(name: str, value: Any, reads: Any) -> None:
    everything = Everything.zero()
    setattr(everything, name, value)
    assert getattr(everything, name).tolist() == reads


def test_an_array_of_s_reads_as_s() -> None:
    everything = Everything.zero()
    assert everything.p.dtype == np.dtype("S2")
    assert everything.v.dtype == np.dtype("V2")
    assert Everything.layout.dtype["p"] == np.dtype(("S2", (3,)))


def test_assigning_to_items_is_numpys_own_doing() -> None:
    """As the guide says: an array field is an ndarray, and NumPy's rules hold for what is assigned to its items."""
    everything = Everything.zero()
    everything.u[:] = np.array([300, 255, 2.7])
    assert everything.u.tolist() == [44, 255, 2]
    with pytest.raises((OverflowError, ValueError)):
        everything.u[0] = 300  # NumPy 2 refuses Python's numbers out of range
    with pytest.raises(FieldOverflow):
        everything.u = [300, 255, 2]  # type: ignore[assignment]
