"""Errors about what cannot be a field, or its size, name the field and say what to do."""

import warnings
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import Bytes, FieldTypeError, Offset, SchemaError, Shape, Struct, Timestamp, Utf8, Utf16, Utf32, u8
from typedshm.struct.struct import StructMeta


class Named(Struct):
    names: Annotated[NDArray[np.str_], Utf32(4), Shape(2)]


def declare(annotation: Any) -> Any:
    return StructMeta("Made", (Struct,), {"__annotations__": {"field": annotation}, "__module__": __name__})


# ---- NumPy's integers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [np.int64(3), np.uint8(3), np.intp(3), np.array(3)])
def test_numpys_integers_are_dimensions_and_sizes(number: Any) -> None:
    made = declare(Annotated[NDArray[np.float32], Shape(number, 2)])
    assert made.zero().field.shape == (3, 2)
    assert typedshm.array(np.float32, number, 2).shape == (3, 2)
    assert all(type(dim) is int for dim in typedshm.array(np.float32, number, 2).shape)
    assert declare(Annotated[bytes, Bytes(number)]).zero().field == b"\0\0\0"
    assert declare(Annotated[str, Utf8(number)]).layout.size == 3
    assert declare(Annotated[u8, Offset(number)]).layout.fields[0].offset == 3
    assert Shape(number) == Shape(3)
    with typedshm.create("rows", typedshm.array(np.float32, number)) as region:
        region.write(np.zeros(3, np.float32))


@pytest.mark.parametrize("number", [2.0, "3", None, True, -1, 0, np.float64(2), np.bool_(True), (2, 3)])
def test_other_things_are_no_dimensions(number: Any) -> None:
    with pytest.raises(SchemaError, match=r"Shape\(.*expected a whole number of at least 1"):
        Shape(number)
    with pytest.raises(SchemaError, match=r"array\(.*expected a whole number of at least 1"):
        typedshm.array(np.float32, number)
    with pytest.raises(SchemaError, match=r"Bytes\(.*expected a whole number of at least 1"):
        Bytes(number)


# ---- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[NDArray[np.float64], Shape(2**40)],
        Annotated[NDArray[np.float64], Shape(2**62, 2**62)],
        Annotated[NDArray[np.uint8], Shape(2**40 + 1)],
        Annotated[str, Utf8(2**41)],
        Annotated[bytes, Bytes(2**64)],
        Annotated[u8, Offset(2**40)],
    ],
)
def test_a_huge_field_is_named_with_the_limit(annotation: Any) -> None:
    with pytest.raises(SchemaError, match=r"^Made\.field: .*1,099,511,627,776 \(1 TiB\)"):
        declare(annotation)


def test_a_huge_array_is_named_with_the_limit() -> None:
    for shape in ((2**40,), (2**62, 2**62)):
        with pytest.raises(SchemaError, match=r"array.*1,099,511,627,776 \(1 TiB\)"):
            typedshm.array(np.float64, *shape)


def test_items_of_arrays_have_numpys_limit() -> None:
    with pytest.raises(SchemaError, match=r"^Made\.field: one item has at most 2,147,483,647 bytes"):
        declare(Annotated[NDArray[np.void], Bytes(2**31), Shape(2)])

    class Large(Struct):
        data: Annotated[NDArray[np.uint8], Shape(2**31)]

    assert Large.layout.size == 2**31
    with pytest.raises(SchemaError, match=r"^Made\.field: one item has at most 2,147,483,647 bytes"):
        declare(Annotated[NDArray[np.void], Shape(2, of=Large)])
    with pytest.raises(SchemaError, match=r"Large: items of NumPy's arrays have at most 2,147,483,647 bytes"):
        np.dtype(Large)
    with pytest.raises(SchemaError, match=r"Large: items of NumPy's arrays have at most 2,147,483,647 bytes"):
        typedshm.array(Large, 2)


# ---- types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.floating, "np.floating is several; use one of np.float16, np.float32, np.float64"),
        (np.integer, "np.integer is several; use one of np.int8"),
        (np.unsignedinteger, "np.unsignedinteger is several"),
        (np.number, "np.number is several"),
        (np.generic, "np.generic is several"),
        (np.complexfloating, "use one of np.complex64, np.complex128"),
        (np.character, "use one of np.bytes_, np.str_"),
        (np.object_, "np.object_ cannot be shared"),
        (Any, "expected an array of one NumPy type such as NDArray"),
        (float, "expected an array of one NumPy type such as NDArray"),
        (np.float32 | np.float64, "expected an array of one NumPy type such as NDArray"),
    ],
)
def test_an_array_without_one_type_is_refused(item: Any, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SchemaError, match=rf"^Made\.field: .*{words}"):
            declare(Annotated[NDArray[item], Shape(2)])


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs NumPy 2")
def test_variable_text_of_numpy_is_refused() -> None:
    array = np.ndarray[Any, np.dtypes.StringDType]
    text = np.array(["a", "b"], np.dtypes.StringDType())
    with pytest.raises(FieldTypeError, match=r"^Named\.names: .*text of any length .*\.astype\('U'\)"):
        Named.zero().names = text
    with pytest.raises(FieldTypeError, match=r"^share: .*text of any length .*\.astype\('U'\)"):
        typedshm.share("names", text)
    with pytest.raises(SchemaError, match=r"^Made\.field: StringDType keeps its text outside .*Utf32\(8\)"):
        declare(Annotated[array, Shape(2)])
    with pytest.raises(SchemaError, match="no portable form"):
        typedshm.array(np.dtypes.StringDType(), 2)


@pytest.mark.parametrize("scalar", [np.floating, np.integer, np.generic, np.float32, np.object_, np.bool_])
def test_a_scalar_type_of_numpy_is_no_field(scalar: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SchemaError, match=r"^Made\.field: "):
            declare(scalar)
        with pytest.raises(SchemaError, match=r"^Made\.field: "):
            declare(Annotated[scalar, Utf16(3)])


@pytest.mark.parametrize("dtype", [np.floating, "nonsense", np.integer, 3.5, ["x"]])
def test_array_says_that_it_is_no_dtype(dtype: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SchemaError, match="array: expected the dtype"):
            typedshm.array(dtype, 3)


@pytest.mark.parametrize("shape", [(2, 3), [2, 3]])
def test_a_shape_as_numpy_takes_it_is_refused_with_how_to_write_it(shape: Any) -> None:
    with pytest.raises(SchemaError, match=r"^array\(.*without brackets: 2, 3$"):
        typedshm.array(np.float32, shape)
    with pytest.raises(SchemaError, match=r"^Shape\(.*without brackets: 2, 3$"):
        Shape(shape)


def test_what_is_no_array_is_not_told_to_call_astype() -> None:
    for value in (None, {}):
        with pytest.raises(FieldTypeError, match=r"^Named\.names: expected an array") as caught:
            Named.zero().names = value  # type: ignore[assignment]
        assert "astype" not in str(caught.value)


# ---- times ---------------------------------------------------------------------------------------------------------


def test_times_of_pandas_are_taken_whole() -> None:
    pd = pytest.importorskip("pandas", exc_type=ImportError)
    made = declare(Annotated[np.datetime64, Timestamp()]).zero()
    made.field = pd.Timestamp("2024-01-01T00:00:00.123456789", tz="UTC")
    assert made.field == np.datetime64("2024-01-01T00:00:00.123456789")
    made.field = pd.NaT
    assert np.isnat(made.field)
    with pytest.raises(FieldTypeError, match=r"^Made\.field: expected an aware datetime"):
        made.field = pd.Timedelta(1)
