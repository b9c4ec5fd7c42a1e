"""UpTo fields of Structs: what they hold and refuse, and what becomes of them wherever Structs go."""

import copy
import ctypes
import io
import pickle
import pydoc
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel

import typedshm as ts
from helpers.wire import store
from typedshm import FieldTypeError, FieldValueError, Offset, SchemaError, Shape, Struct, UpTo, f32, u8, u16

floats: Any = NDArray[np.float32]


class Box(Struct):
    x: f32
    label: Annotated[str, ts.Utf8(4)]


class Frame(Struct):
    tick: u8 = 0
    boxes: Annotated[NDArray[np.void], UpTo(3, of=Box)] = ()  # type: ignore[assignment]
    rows: Annotated[floats, UpTo(4, 3, free=1)] = ()
    grid: Annotated[floats, UpTo(4, 3)] = ()


class Scan(Struct):
    frame: Frame
    frames: Annotated[NDArray[np.void], Shape(2, of=Frame)]
    some: Annotated[NDArray[np.void], UpTo(2, of=Frame)]


def frame(boxes: int = 2) -> Frame:
    """A frame with something in every field."""
    made = [Box(x=number, label=f"b{number}") for number in range(boxes)]
    return Frame(tick=7, boxes=made, rows=[[1, 2, 3]], grid=[[1, 2], [3, 4]])


def scan() -> Scan:
    made = Scan.zero()
    made.frame = frame(1)
    made.frames[1] = frame(2)
    made.some = [frame(3)]
    return made


# ---- values --------------------------------------------------------------------------------------------------------


def test_a_field_reads_as_what_was_assigned() -> None:
    value = Frame.zero()
    assert (value.boxes.shape, value.rows.shape, value.grid.shape) == ((0,), (0, 3), (0, 0))
    for shape in ((0, 0), (0, 3), (4, 0), (4, 3), (1, 2), (3, 1)):
        value.grid = np.full(shape, 5, np.float32)
        assert value.grid.shape == shape
        assert (value.grid == 5).all()
    value.grid = np.arange(12, dtype=np.float32).reshape(4, 3)
    value.grid = value.grid[1:, ::2]  # of the same bytes
    assert value.grid.tolist() == [[3, 5], [6, 8], [9, 11]]
    value.rows = [np.arange(3, dtype=np.float32), (4, 5, 6)]
    assert value.rows.tolist() == [[0, 1, 2], [4, 5, 6]]
    value.boxes = (Box(x=1, label="a"), Box(x=2, label="b"))
    assert [box.label for box in value.boxes] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("boxes", [Box(x=0, label="")] * 4, FieldValueError, "Frame.boxes: expected at most 3 items, found 4"),
        ("boxes", Box(x=0, label=""), FieldValueError, "expected shape (at most 3,), found ()"),
        ("boxes", [1], FieldTypeError, "Frame.boxes: expected a Box, found 1 (int)"),
        ("rows", np.zeros((5, 3), np.float32), FieldValueError, "expected shape (at most 4, 3), found (5, 3)"),
        ("rows", np.zeros((1, 2), np.float32), FieldValueError, "expected shape (at most 4, 3), found (1, 2)"),
        ("rows", np.zeros(3, np.float32), FieldValueError, "expected shape (at most 4, 3), found (3,)"),
        ("rows", np.zeros((1, 3)), FieldTypeError, "float32 with shape (at most 4, 3), found float64"),
        ("rows", [[1, 2]], FieldValueError, "expected shape (at most 4, 3), found (1, 2)"),
        ("rows", [[1, 2, 3], [4]], FieldValueError, "found lists of different lengths"),
        ("rows", None, FieldTypeError, "expected an array of float32 with shape (at most 4, 3), found None"),
        ("rows", 1.5, FieldTypeError, "with shape (at most 4, 3), found float64"),
        ("rows", np.ma.zeros((1, 3), np.float32), FieldTypeError, "expected a plain array, found a masked array"),
        ("grid", [[0] * 4], FieldValueError, "expected shape (at most 4, at most 3), found (1, 4)"),
        ("grid", [[], [1]], FieldValueError, "expected shape (2, 0), found lists of different lengths"),
        ("grid", [[], 1], FieldValueError, "expected shape (2, 0), found lists of different lengths"),
        ("grid", [1], FieldValueError, "expected shape (at most 4, at most 3), found (1,)"),
        ("grid", [[[]]], FieldValueError, "found (1, 1, 0)"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(name: str, value: Any, error: Any, words: str) -> None:
    for struct in (Frame.zero(), frame()):
        before = bytes(struct)
        with pytest.raises(error) as refused:
            setattr(struct, name, value)
        assert words in str(refused.value)
        assert str(refused.value).startswith(f"Frame.{name}: ")
        assert bytes(struct) == before


def test_items_are_structs_that_write_through() -> None:
    value = frame()
    box = value.boxes[1]
    box.x, value.boxes[0].label = 9, "new"
    value.boxes["x"][0] = 4
    assert value.boxes.tolist() == [(4, b"new"), (9, b"b1")]
    value.boxes[0] = Box(x=1, label="it")
    assert repr(value.boxes[0]) == "Box(x=1.0, label='it')"
    with pytest.raises(IndexError):
        value.boxes[2]


def test_resize_keeps_what_is_there_and_zeroes_the_rest() -> None:
    value = frame()
    ts.resize(value, "boxes", 1)
    assert [box.x for box in ts.resize(value, "boxes", 3)] == [0, 0, 0]
    assert ts.resize(value, "rows", (2, 3)).tolist() == [[1, 2, 3], [0, 0, 0]]
    assert ts.resize(value, "grid", (3, 2)).tolist() == [[1, 2], [3, 4], [0, 0]]
    with pytest.raises(FieldValueError, match=r"Frame\.grid: expected shape \(at most 4, at most 3\), found \(5, 1\)"):
        ts.resize(value, "grid", (5, 1))
    assert value.grid.shape == (3, 2)


@pytest.mark.parametrize("name", ["boxes_used", "grid_used"])
def test_the_numbers_are_no_attributes(name: str) -> None:
    value = frame()
    with pytest.raises(AttributeError, match=name):
        getattr(value, name)
    with pytest.raises(AttributeError, match=name):
        setattr(value, name, 1)
    assert name not in dir(Frame)
    with pytest.raises(SchemaError, match=rf"{name}: the name is taken by the numbers of used items of "):
        type(Struct)("Clash", (Frame,), {"__annotations__": {name: u8}, "__module__": __name__})


# ---- wherever Structs go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [frame(), frame(0), Frame(), scan(), Scan.zero()], ids=repr)
def test_copies_are_equal_in_all_that_is_used(value: Any) -> None:
    cls = type(value)
    copies = [
        copy.copy(value),
        copy.deepcopy(value),
        ts.replace(value),
        pickle.loads(pickle.dumps(value)),
        cls.from_buffer_copy(bytes(value)),
        cls(**{field.name: getattr(value, field.name) for field in cls.layout.fields}),
        cls.model().model_validate_json(cls.model().model_validate(value).model_dump_json()),
    ]
    for other in copies:
        struct = other if isinstance(other, Struct) else ts.to_struct(other)
        assert struct == value
        assert (struct != value) is False
        assert bytes(struct) == bytes(value)
        assert repr(struct) == repr(value)
        assert ts.asdict(struct, mode="json") == ts.asdict(value, mode="json")
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


def test_cloudpickle() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    assert cloudpickle.loads(cloudpickle.dumps(frame())) == frame()


def test_what_is_not_used_is_nobodys_business() -> None:
    one, other = frame(), frame()
    for value in (one, other):
        value.boxes = [Box(x=5, label="old")] * 3
        value.boxes = [Box(x=1, label="new")]
    memoryview(one).cast("B")[Frame.layout.fields[1].start + Box.layout.size :][:12] = b"\xff" * 12
    assert one == other
    assert bytes(one) == bytes(other)
    assert b"old" not in bytes(one)
    assert pickle.dumps(one) == pickle.dumps(other)
    assert len(pickle.dumps(one)) < len(pickle.dumps(frame(3)))
    other.boxes[0].x = 2
    assert one != other


def test_a_pickle_is_refused_by_a_class_with_another_capacity_or_other_axes() -> None:
    def declared(marker: UpTo) -> Any:
        return type(Struct)("Made", (Struct,), {"__annotations__": {"a": Annotated[floats, marker]}, **NAMES})

    one = declared(UpTo(4, 3))(a=[[1, 2, 3]])
    rebuilt = one.__reduce_ex__(4)
    for marker in (UpTo(5, 3), UpTo(4, 3, free=1), UpTo(3, 4)):
        restore, (_, *rest) = rebuilt[:2]
        with pytest.raises(Exception, match="Made"):
            restore(declared(marker), *rest)
    restore, (form, data, *rest) = rebuilt[:2]
    assert restore(form, data, *rest) == one
    for wrong in (b"", data[:-1], data + b"\0"):
        with pytest.raises(ValueError, match="expected a pickle of another size"):
            restore(form, wrong, *rest)


NAMES = {"__module__": __name__, "__qualname__": "Made"}


@pytest.mark.parametrize("options", [{}, {"pack": 1}, {"pack": 2}, {"byte_order": "big"}, {"align": 64}], ids=str)
def test_options_of_the_class_place_it_where_c_would(options: dict[str, Any]) -> None:
    annotations = {
        "head": u8,
        "a": Annotated[NDArray[np.float64], UpTo(2, 2)],
        "b": Annotated[NDArray[np.uint16], UpTo(3), Offset(101 if options.get("pack") == 1 else 104)],
    }
    cls: Any = type(Struct)("Made", (Struct,), {"__annotations__": annotations, **NAMES}, **options)
    value = cls(head=1, a=[[1, 2]], b=[3])
    order = options.get("byte_order", "little")
    first, last = cls.layout.fields[1:]
    pack = options.get("pack", 8)
    assert (first.offset, first.start) == {1: (1, 9), 2: (2, 10)}.get(pack, (4, 16))
    assert ctypes.sizeof(cls) == cls.layout.size == cls.layout.dtype.itemsize
    data = bytes(value)
    assert data[first.offset :][:8] == (1).to_bytes(4, order) + (2).to_bytes(4, order)
    assert data[first.start :][:16] == np.array([1, 2], f"{'<' if order == 'little' else '>'}f8").tobytes()
    assert data[last.offset :][:6] == (1).to_bytes(4, order) + (3).to_bytes(2, order)
    with ts.create("made", cls) as region:
        region.write(value)
        assert region.read() == value
        with region.update() as inside:
            inside.b = [1, 2, 3]
        assert region.read().b.tolist() == [1, 2, 3]
    row = np.asarray(value)
    assert row["a_used"].tolist() == [1, 2]
    assert row["b_used"] == 1


def test_fields_are_inherited() -> None:
    class More(Frame):
        more: Annotated[NDArray[np.int8], UpTo(3)] = (1, 2)  # type: ignore[assignment]

    value = More(boxes=[Box(x=1, label="a")])
    assert repr(value) == "More(tick=0, boxes=[Box(x=1.0, label='a')], rows=[], grid=[], more=[1, 2])"
    value.more[0] = 9
    assert More().more.tolist() == [1, 2]  # a default is copied
    assert More.zero().more.tolist() == []
    with pytest.raises(FieldValueError, match=r"Wrong\.a: expected at most 3 items, found 4"):
        type(Struct)(
            "Wrong",
            (Struct,),
            {"__annotations__": {"a": Annotated[NDArray[np.int8], UpTo(3)]}, "a": (1, 2, 3, 4), **NAMES},
        )


def test_shown_values_are_those_that_are_used() -> None:
    value = frame()
    assert repr(value) == (
        "Frame(tick=7, boxes=[Box(x=0.0, label='b0'), Box(x=1.0, label='b1')], rows=[[1.0, 2.0, 3.0]], "
        "grid=[[1.0, 2.0], [3.0, 4.0]])"
    )
    value.grid = np.zeros((2, 0), np.float32)
    assert "grid=[[], []])" in repr(value)
    assert "<td" in value._repr_html_()
    assert "[[], []]" in value._repr_html_()
    assert ts.asdict(value, mode="json")["grid"] == [[], []]


def test_nested_lists_of_structs_have_the_used_shape() -> None:
    class Grid(Struct):
        boxes: Annotated[NDArray[np.void], UpTo(3, 2, of=Box)]

    box = {"x": 0.0, "label": ""}
    for shape, listed in (((2, 0), [[], []]), ((3, 1), [[box]] * 3), ((0, 2), []), ((2, 2), [[box] * 2] * 2)):
        value = Grid(boxes=np.zeros(shape, Box.layout.dtype))
        assert ts.asdict(value, mode="json") == {"boxes": listed}
        assert ts.to_struct(Grid.model().model_validate({"boxes": listed})).boxes.size == value.boxes.size


def test_help_and_long_arrays() -> None:
    assert "boxes" in pydoc.render_doc(Frame, renderer=pydoc.plaintext)
    pydoc.Helper(output=io.StringIO()).help(Frame)

    class Long(Struct):
        a: Annotated[floats, UpTo(1000)]

    assert repr(Long(a=np.zeros(100, np.float32))) == "Long(a=<f32[100]: 0.0, 0.0, ..., 0.0, 0.0>)"


def test_callbacks_of_c_get_them_by_value() -> None:
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, Frame)
    found: list[Frame] = []

    @prototype
    def look(value: Frame) -> int:
        found.append(copy.copy(value))
        return len(value.boxes)

    assert look(frame(3)) == 3
    assert found == [frame(3)]


def test_items_of_arrays_are_copied_whole_and_checked_when_read() -> None:
    value = scan()
    with ts.create("scan", Scan) as region:
        region.write(value)
        assert region.read() == value
        with region.update() as inside:
            inside.frames[0].boxes = [Box(x=8, label="in")]
            ts.resize(inside.some[0], "boxes", 1)
        found = region.read()
        assert found.frames[0].boxes[0].x == 8
        assert len(found.some[0].boxes) == 1
        assert found.frames[1] == value.frames[1]
        with region.borrow() as looked_at:
            assert looked_at.frames[0].boxes[0].label == "in"
            with pytest.raises(ts.ReadOnly):
                looked_at.frames[0].boxes = []
            with pytest.raises(ts.ReadOnly):
                ts.resize(looked_at.frame, "boxes", 0)
    assert np.asarray(value)["frames"]["boxes_used"].tolist() == [0, 2]


# ---- numbers that no program with typedshm has written ---------------------------------------------------------------


class Little(Struct):
    tick: u8 = 0
    a: Annotated[NDArray[np.uint16], UpTo(5)] = ()  # type: ignore[assignment]
    g: Annotated[NDArray[np.uint16], UpTo(5, 3)] = ()  # type: ignore[assignment]
    last: u16 = 0


class Big(Struct, byte_order="big"):
    tick: u8 = 0
    a: Annotated[NDArray[np.uint16], UpTo(5)] = ()  # type: ignore[assignment]
    g: Annotated[NDArray[np.uint16], UpTo(5, 3)] = ()  # type: ignore[assignment]
    last: u16 = 0


class Model(BaseModel):
    """The fields of Little."""

    tick: u8
    a: Annotated[NDArray[np.uint16], UpTo(5)]
    g: Annotated[NDArray[np.uint16], UpTo(5, 3)]
    last: u16


NUMBERS = [0, 1, 5, 6, 2**31 - 1, 2**31, 2**32 - 1]
PLACES = [("a", 0), ("g", 0), ("g", 1)]


def damaged(cls: Any, name: str, axis: int, number: int) -> tuple[Any, tuple[int, ...]]:
    """A Struct with a number of used items in its bytes, and the numbers of that field."""
    value = cls(tick=1, a=[1, 2], g=[[1, 2, 3]], last=9)
    field = next(field for field in cls.layout.fields if field.name == name)
    used = list(getattr(value, name).shape)
    used[axis] = number
    at = field.offset + 4 * axis
    memoryview(value).cast("B")[at : at + 4] = number.to_bytes(4, field.byte_order)
    return value, tuple(used)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("name", "axis"), PLACES)
@pytest.mark.parametrize("cls", [Little, Big])
class TestBadNumbers:
    """Each number, along each axis, in both byte orders: right ones are read, wrong ones refused by the field alone."""

    def test_of_a_value_of_ones_own(self, cls: Any, name: str, axis: int, number: int) -> None:
        value, used = damaged(cls, name, axis, number)
        most = cls.layout.dtype[name].shape
        check(value, name, axis, number, most)
        for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert other == value
            check(other, name, axis, number, most)
        assert value != cls()
        assert len(bytes(value)) == cls.layout.size
        assert ts.raw(value, name)[:4] == used[0].to_bytes(4, "little" if cls is Little else "big")
        found = ts.asdict(value, mode="json")
        assert found["last"] == 9
        assert len(found[name]) == (used[0] if number <= most[axis] else most[0])
        assert np.shape(ts.asdict(value)[name]) == (used if number <= most[axis] else most)
        if number > most[axis]:
            shown = f"{name}=<unreadable: {' x '.join(map(str, used))} of at most {' x '.join(map(str, most))} items>"
            assert shown in repr(value)
            assert "unreadable" in value._repr_html_()
            setattr(value, name, np.zeros(most, np.uint16))  # which mends it
            assert getattr(value, name).shape == most

    def test_of_a_region(self, cls: Any, name: str, axis: int, number: int) -> None:
        value, _ = damaged(cls, name, axis, number)
        most = cls.layout.dtype[name].shape
        with ts.create("region", cls) as region:
            store(region, value)
            check(region.read(), name, axis, number, most)
            with region.borrow() as looked_at:
                check(looked_at, name, axis, number, most)
            assert region.read() == value
            if number > most[axis]:
                with pytest.raises(FieldValueError, match=rf"{name}: expected at most {most[axis]} items"):
                    region.write(value)
                with region.update() as inside:
                    check(inside, name, axis, number, most)
                    inside.a, inside.g = [], []
                store(region, value)
                before = region.version
                with pytest.raises(FieldValueError, match=rf"{name}: expected at most"), region.update() as inside:
                    inside.tick = 3
                assert region.version == before
                with region.update() as inside:
                    setattr(inside, name, np.zeros(most, np.uint16))
                assert getattr(region.read(), name).shape == most

    def test_of_a_model(self, cls: Any, name: str, axis: int, number: int) -> None:
        value, _ = damaged(cls, name, axis, number)
        most = cls.layout.dtype[name].shape
        with ts.create("region", cls) as region:
            store(region, value)
            if cls is Little:  # byte_order is an option of Structs
                with ts.attach("region", Model) as other:
                    if number > most[axis]:
                        with pytest.raises(FieldValueError, match=rf"{name}: expected at most {most[axis]} items"):
                            other.read()
                    else:
                        assert getattr(other.read(), name).shape == getattr(value, name).shape
            if number > most[axis]:
                with pytest.raises(ValueError, match=f"{name}: expected at most"):
                    cls.model().model_validate(value)
            with ts.attach("region") as described:
                check(described.read(), name, axis, number, most)


def check(value: Any, name: str, axis: int, number: int, most: tuple[int, ...]) -> None:
    assert (value.tick, value.last) == (1, 9)
    if number <= most[axis]:
        assert getattr(value, name).shape[axis] == number
        return
    along = f" along axis {axis}" if len(most) > 1 else ""
    with pytest.raises(FieldValueError) as refused:
        getattr(value, name)
    assert str(refused.value).endswith(
        f".{name}: expected at most {most[axis]} items{along}, found {number}; raw() gives all the bytes"
    )


def test_numbers_in_items_of_arrays_are_refused_by_the_item() -> None:
    value = scan()
    at = Scan.layout.fields[1].offset + Frame.layout.size + Frame.layout.fields[1].offset  # frames[1].boxes
    memoryview(value).cast("B")[at : at + 4] = b"\xff" * 4
    with ts.create("scan", Scan) as region:
        store(region, value)
        for found in (value, region.read(), pickle.loads(pickle.dumps(value))):
            assert len(found.frames[0].boxes) == 0
            with pytest.raises(FieldValueError, match=r"Frame\.boxes: expected at most 3 items, found 4294967295"):
                _ = found.frames[1].boxes
            assert "boxes=<unreadable: 4294967295 of at most 3 items>" in repr(found)
            assert ts.asdict(found, mode="json")["frames"][1]["tick"] == 7
            assert found == value
        region.write(value)  # copied whole, and checked by nobody but its readers
        with region.update() as inside:
            inside.frames[1].boxes = []
        assert region.read().frames[1].boxes.shape == (0,)
