"""Values of regions reach NumPy's and torch's DLPack, and slots are filled from there, without a copy."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from typedshm import Shape, Struct, Unit, Utf8, f32, u16, u64
from typedshm.testing.inspection import attach_apart


class Frame(Struct):
    number: u64
    image: Annotated[NDArray[np.uint8], Shape(6, 8)]
    weights: Annotated[NDArray[np.float32], Shape(3)]
    ids: Annotated[NDArray[np.uint32], Shape(3)]
    valid: Annotated[NDArray[np.bool_], Shape(3)]


class Network(Struct, byte_order="big"):
    weights: Annotated[NDArray[np.float32], Shape(3)]


ARRAYS = ("image", "weights", "ids", "valid")


def frame(number: int) -> Frame:
    value = Frame.zero()
    value.number = number
    value.image[:] = np.arange(number, number + 48).reshape(6, 8)
    return value


@pytest.fixture
def torch() -> ModuleType:
    return pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)


@pytest.fixture(params=["numpy.from_dlpack", "torch.from_numpy", "torch.from_dlpack", "torch.utils.dlpack.from_dlpack"])
def view(request: pytest.FixtureRequest) -> Callable[[NDArray[Any]], Any]:
    """One way from an array to a view of it elsewhere."""
    package, _, way = request.param.partition(".")
    module: Any = pytest.importorskip(package, reason=f"{package} is not installed", exc_type=ImportError)
    for part in way.split("."):
        module = getattr(module, part)
    return module


def address(view: Any) -> int:
    return view.data_ptr() if hasattr(view, "data_ptr") else view.ctypes.data


def assert_same(view: Any, array: NDArray[Any]) -> None:
    assert address(view) == array.ctypes.data
    assert tuple(view.shape) == array.shape
    assert (np.asarray(view) == array).all()


def test_values_and_targets(view):
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        value = region.read()
        views = {name: view(getattr(value, name)) for name in ARRAYS}
        for name in ARRAYS:
            assert_same(views[name], getattr(value, name))
        region.write(frame(2))
        region.read_into(value)  # which is seen through the views
        assert int(views["image"][0, 0]) == 2


def test_bare_arrays(view):
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    with typedshm.share("table", table) as region:
        value = region.read()
        assert_same(view(value), value)
        seen = view(value)
        region.write(table + 1)
        region.read_into(value)
        assert float(seen[0, 0]) == 1


def test_a_view_outlives_value_and_region(view):
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        seen = view(region.read().image)
    for _ in range(10):
        frame(200)  # which would take the place of what was given back
    assert (np.asarray(seen) == frame(1).image).all()


@pytest.mark.parametrize("block", ["loan", "update"])
def test_a_slot_is_filled_through_a_view(view, block):
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        with getattr(region, block)() as slot:
            seen = view(slot.image)
            assert address(seen) == slot.image.ctypes.data
            seen[:] = 7
            slot.number = 2
        assert region.read().number == 2
        assert (region.read().image == 7).all()


def test_a_tensor_is_copied_into_a_slot(torch):
    with typedshm.create("frames", Frame) as region, attach_apart("frames", Frame) as reader:
        with region.loan() as slot:
            torch.from_numpy(slot.image).copy_(torch.arange(48, dtype=torch.uint8).reshape(6, 8))
            torch.add(torch.ones(3), 1, out=torch.from_numpy(slot.weights))
        value = reader.read()
        assert (value.image == np.arange(48).reshape(6, 8)).all()
        assert value.weights.tolist() == [2, 2, 2]


def test_another_byte_order_is_refused_and_converted(torch):
    value = Network(weights=np.array([1, 2, 3], ">f4"))
    with pytest.raises((ValueError, TypeError), match="byte order"):
        torch.from_numpy(value.weights)
    with pytest.raises(BufferError):
        np.from_dlpack(value.weights)
    native = value.weights.astype(value.weights.dtype.newbyteorder("="))
    assert torch.from_numpy(native).tolist() == [1, 2, 3]


# ---- data frames ---------------------------------------------------------------------------------------------------


class Wheel(Struct, byte_order="big"):
    pressure: Annotated[f32, Unit("bar")]
    wear: u16


class Car(Struct):
    name: Annotated[str, Utf8(8)]
    front: Wheel
    laps: Annotated[NDArray[np.uint8], Shape(2)]
    fuel: Annotated[f32, Unit("kg")]


def test_columns_of_a_data_frame():
    pytest.importorskip("pandas", reason="pandas is not installed", exc_type=ImportError)
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    try:
        from pandas_table import to_frame  # it takes pandas
    finally:
        del sys.path[0]
    values = np.zeros(3, Car.layout.dtype)
    values["name"] = [name.encode() for name in ("Ada", "Grace", "Émilie")]
    values["front"]["pressure"], values["front"]["wear"], values["fuel"] = [2.5, 2.0, 1.5], [1, 1, 2], [30, 20, 10]
    frame = to_frame(values, Car.layout)
    assert list(frame.columns) == ["name", "front.pressure", "front.wear", "fuel"]
    assert frame.attrs["units"] == {"front.pressure": "bar", "fuel": "kg"}
    assert list(frame["name"]) == ["Ada", "Grace", "Émilie"]
    assert all(np.asarray(column).dtype.isnative for _, column in frame.items())
    assert frame.groupby("front.wear")["front.pressure"].mean().tolist() == [2.25, 1.5]
    assert np.shares_memory(frame["fuel"].to_numpy(), values)


# ---- borrowed views ------------------------------------------------------------------------------------------------


def test_borrowed_arrays_by_dlpack():
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        with region.borrow() as value:
            with pytest.raises(BufferError):
                value.image.__dlpack__()  # without a version there is no word for read-only
            seen = np.from_dlpack(value.image)
            assert_same(seen, value.image)
            assert not seen.flags.writeable


def test_borrowed_arrays_as_tensors(torch):
    with typedshm.create("frames", Frame) as region:
        region.write(frame(1))
        with region.borrow() as value:
            with pytest.warns(UserWarning, match="not writable"):
                assert_same(torch.from_numpy(value.image), value.image)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                seen = torch.from_dlpack(value.image)
            assert_same(seen, value.image)


def test_a_tensor_kept_after_the_block_never_changes(torch):
    with typedshm.create("frames", Frame, slots=4) as region:
        region.write(frame(1))
        with region.borrow() as value:
            kept = torch.from_dlpack(value.image)
        for number in range(2, 12):
            region.write(frame(number))
        assert (kept.numpy() == frame(1).image).all()
        assert region.read().number == 11
