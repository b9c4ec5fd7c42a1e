"""share() takes what can be shared without a loss, and refuses everything else with the way to convert it."""

import dataclasses
import os
import stat
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import BaseModel

import typedshm
from typedshm import FieldTypeError, FieldValueError, SchemaError, Struct, f64, share, u64
from typedshm.memory.names import locate
from typedshm.testing.inspection import attachment_of


class Point(Struct):
    x: f64
    y: f64 = 2.0


@dataclasses.dataclass
class Record:
    n: u64


class Model(BaseModel):
    n: u64


@pytest.fixture(name="pd")
def pandas() -> Any:
    return pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Whatever share() refuses it leaves no region behind."""
    yield
    assert list(typedshm.regions()) == []


def shared(value: Any) -> Any:
    with share("shared", value) as region, typedshm.attach("shared") as other:
        assert other.read().tobytes() == region.read().tobytes()
        return region.read()


@pytest.mark.parametrize(
    "dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16", "?", "M8[ns]"]
)
def test_a_series_is_shared_in_its_dtype(pd: Any, dtype: str):
    series = pd.Series(np.array([1, 0, 1]).astype(dtype))
    found = shared(series)
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, series.to_numpy())


def test_a_frame_of_one_dtype_becomes_an_array_of_two_dimensions(pd: Any):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}).astype(np.float32)
    found = shared(frame)
    assert found.dtype == np.float32
    assert np.array_equal(found, frame.to_numpy())


def test_a_frame_of_several_dtypes_keeps_each_in_a_field(pd: Any):
    large = 2**63 - 1  # which no float can hold
    frame = pd.DataFrame(
        {"n": [large, 2], "x": [0.5, 1.5], "ok": [True, False], "small": np.array([1, 2], np.uint8)},
    )
    found = shared(frame)
    assert found["n"].tolist() == [large, 2]
    assert found["ok"].tolist() == [True, False]
    assert [str(found.dtype[name]) for name in found.dtype.names] == ["int64", "float64", "bool", "uint8"]
    assert pd.DataFrame(found).equals(frame)


def test_extension_dtypes_without_missing_items_become_the_numbers_they_are(pd: Any):
    assert shared(pd.Series([1, 2], dtype="Int16")).dtype == np.int16
    assert shared(pd.Series([True, False], dtype="boolean")).tolist() == [True, False]
    assert shared(pd.DataFrame({"a": pd.Series([1, 2], dtype="Int64")})).tolist() == [[1], [2]]


def test_missing_items_that_a_float_can_say_stay(pd: Any):
    found = shared(pd.Series([1.0, None]))
    assert np.isnan(found[1])


def refused_of_pandas(pd: Any) -> dict[str, tuple[Any, str]]:
    return {
        "missing integer": (pd.Series([1, None], dtype="Int64"), r"Int64 has missing items.*\.fillna\(0\)"),
        "missing float": (pd.Series([1, None], dtype="Float64"), "na_value=np.nan"),
        "missing in a frame": (pd.DataFrame({"a": pd.Series([1, None], dtype="Int64")}), "column 'a' of Int64"),
        "text": (pd.Series(["a", "b"]), r"to_numpy\(\)\.astype\('U'\)|astype\(np\.float64\)"),
        "objects": (pd.Series([1, "a"], dtype=object), r"of object; .*\.astype\(np\.float64\)"),
        "object column": (pd.DataFrame({"a": [1], "b": [object()]}), "column 'b' of object"),
        "categories": (pd.Series(["a", "b"], dtype="category"), r"\.cat\.codes"),
        "times with a zone": (pd.Series(pd.date_range("2020", periods=2, tz="UTC")), r"\.dt\.tz_convert\(None\)"),
        "sparse": (pd.Series(pd.arrays.SparseArray([0, 1])), r"\.sparse\.to_dense\(\)"),
        "periods": (pd.Series(pd.period_range("2020", periods=2)), r"period\[D\]"),
        "named rows": (pd.Series([1, 2], index=["a", "b"]), r"found Index \['a', 'b'\].*reset_index"),
        "times as an index": (pd.Series([1], index=pd.date_range("2020", periods=1)), "DatetimeIndex"),
        "a selection": (pd.DataFrame({"a": [1, 2, 3]}).iloc[1:], r"reset_index\(drop=True\)"),
        "two columns of one name": (pd.DataFrame([[1, 2.0]], columns=["a", "a"]), "rename"),
        "a name with a space": (pd.DataFrame({"a b": [1], "c": [1.0]}), r"found 'a b'.*rename"),
        "a reserved name": (pd.DataFrame({"_a": [1], "c": [1.0]}), "underscore"),
        "no rows": (pd.Series([], dtype=float), r"with items, found the shape \(0,\)"),
        "no columns": (pd.DataFrame(), "with items"),
        "an index": (pd.Index([1, 2]), r"value\.to_numpy\(\)"),
    }


def test_what_pandas_has_and_an_array_cannot_hold_is_refused_with_the_remedy(pd: Any):
    for label, (value, words) in refused_of_pandas(pd).items():
        with pytest.raises((FieldTypeError, FieldValueError, SchemaError), match=words) as refused:
            share("refused", value)
        assert str(refused.value).startswith("share: "), label


def test_times_in_other_units_say_how_to_convert_them():
    with pytest.raises(SchemaError, match=r"dtype datetime64\[D\].*value\.astype\('M8\[s\]'\)"):
        share("refused", np.array(["2020-01-01"], "M8[D]"))
    with pytest.raises(SchemaError, match=r"dtype timedelta64\[10us\].*value\.astype\('m8\[s\]'\)"):
        share("refused", np.array([1], "m8[10us]"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_and_durations_of_pandas_come_back_in_their_unit(pd: Any, unit: str):
    times = pd.Series(pd.date_range("2026-11-30", periods=3, freq="h")).astype(f"datetime64[{unit}]")
    spans = times - times[0]
    assert (shared(times) == times.to_numpy()).all()
    assert (shared(spans) == spans.to_numpy()).all()
    assert shared(times).dtype == f"M8[{unit}]"
    assert shared(spans).dtype == f"m8[{unit}]"
    table = shared(pd.DataFrame({"at": times, "since": spans, "n": [1, 2, 3]}))
    assert table.dtype == np.dtype([("at", f"M8[{unit}]"), ("since", f"m8[{unit}]"), ("n", "i8")])
    assert (table["since"] == spans.to_numpy()).all()


def test_pandas_own_times_and_durations_are_values_of_fields(pd: Any):
    class Lap(typedshm.Struct):
        at: Annotated[np.datetime64, typedshm.Timestamp("us")]
        took: Annotated[np.timedelta64, typedshm.Duration("ns")]

    lap = Lap(at=pd.Timestamp("2026-11-30T12:00:00.000001002", tz="UTC"), took=pd.Timedelta("1 day 00:00:00.000000001"))
    assert lap.at == np.datetime64("2026-11-30T12:00:00.000001")
    assert lap.took == np.timedelta64(86_400 * 10**9 + 1, "ns")
    lap.took = pd.NaT
    assert np.isnat(lap.took)


@pytest.mark.parametrize("value", [Point(x=1.0), Record(3), Model(n=3)])
def test_an_instance_makes_a_region_of_its_class(value: Any):
    with share("shared", value) as region, typedshm.attach("shared", type(value)) as other:
        assert other.read() == region.read() == value
        assert type(region.read()) is type(value)


def test_a_borrowed_struct_makes_a_region_of_its_plain_class():
    with share("shared", Point(x=1.0)) as region, region.borrow() as borrowed, share("again", borrowed) as again:
        assert type(again.read()) is Point


def test_an_instance_whose_values_do_not_fit_leaves_no_region():
    with pytest.raises(typedshm.FieldOverflow):
        share("refused", Record(-1))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], r"found \[1, 2\] \(list\); np\.asarray\(value\) makes an array of it"),
        ((1.0, 2.0), r"\(tuple\); np\.asarray\(value\)"),
        (range(3), r"\(range\); np\.asarray\(value\)"),
        (b"abc", r"\(bytes\); np\.frombuffer\(value, np\.uint8\)"),
        (bytearray(3), r"np\.frombuffer"),
        (memoryview(b"abc"), r"np\.frombuffer"),
        (1.5, r"\(float\); np\.atleast_1d\(value\)"),
        (True, r"np\.atleast_1d"),
        ("text", "a Struct can describe it"),
        ({"a": 1}, "a Struct can describe it"),
        ({1, 2}, "a Struct can describe it"),
        (None, "a Struct can describe it"),
        (Point, r"found the class Point; create\(name, Point\)"),
        (Record, r"found the class Record; create\(name, Record\)"),
        (np.float64, "found the class float64"),
        (share, "a Struct can describe it"),
        (np.float64(1), r"one of float64 without; np\.atleast_1d"),
        (np.array(1), "at least one dimension"),
        (np.zeros((0, 3)), r"with items, found the shape \(0, 3\)"),
        (np.array([None]), r"Python objects.*astype"),
        (np.ma.array([1, 2], mask=[0, 1]), r"masked array.*filled"),
        (np.array([1], np.longdouble), "longdouble|float128|float96|array"),
        (np.array([1], "m8[Y]"), "timedelta64"),
    ],
    ids=repr,
)
def test_what_is_no_array_is_refused_with_the_remedy(value: Any, words: str):
    if isinstance(value, np.ndarray) and value.dtype == np.longdouble and value.dtype.itemsize == 8:
        pytest.skip("longdouble is float64 on this system")
    with pytest.raises((FieldTypeError, FieldValueError, SchemaError), match=words) as refused:
        share("refused", value)
    assert str(refused.value).startswith("share: ")


def test_arrays_are_shared_however_they_lie_in_memory(tmp_path: Any):
    readonly = np.arange(3)
    readonly.flags.writeable = False
    values = [
        readonly,
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::-2],
        np.arange(3, dtype=">i4"),
        np.memmap(tmp_path / "map", np.float32, "w+", shape=(3,)),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        np.array(["text", "a"]),
        np.array([b"ab", b"c"]),
    ]
    for value in values:
        found = shared(value)
        assert found.dtype == value.dtype
        assert found.tobytes() == value.tobytes()


class Tensor:
    """As PyTorch has them: no ndarray, but convertible without a loss."""

    def __init__(self, items: Any) -> None:
        self._items = np.asarray(items, np.float32)

    def __dlpack__(self, **options: Any) -> Any:
        return self._items.__dlpack__(**options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self._items, dtype)


def test_tensors_of_other_libraries_are_arrays():
    found = shared(Tensor([[1, 2], [3, 4]]))
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 2], [3, 4]]


def test_torch_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    assert shared(torch.arange(3)).dtype == np.int64


def test_a_file_region_can_be_shared_too(tmp_path: Any):
    file = tmp_path / "table.shm"
    with share(file, np.arange(3)):
        pass
    with typedshm.attach(file) as region:
        assert region.read().tolist() == [0, 1, 2]
    assert locate(file).persistent


def test_the_options_are_those_of_create():
    with share("shared", Point(x=1.0), slots=7, scope="machine", mode=0o640, prefault=False) as region:
        info = region.info()
        assert (info.slots, info.scope) == (7, "machine")
        assert not attachment_of(region).paging.prefault
        if os.name == "posix":
            assert stat.S_IMODE(typedshm.path_of("shared", scope="machine").stat().st_mode) == 0o640
