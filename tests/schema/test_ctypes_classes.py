"""Classes of ctypes as schemas: instances come and go as they are, and never lie over a region's memory."""

import copy
import ctypes
import json
import pickle
import subprocess
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import typedshm as ts
from helpers.peers import PATIENCE, Child
from typedshm import (
    FieldTypeError,
    LayoutMismatch,
    Scalar,
    SchemaError,
    Shape,
    Struct,
    Timestamp,
    Utf8,
    c64,
    f64,
    u8,
    u32,
    u64,
)


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_double), ("y", ctypes.c_double)]


class Car(ctypes.Structure):
    """What one car reports."""

    _fields_ = [
        ("tick", ctypes.c_uint64),
        ("driver", ctypes.c_char * 16),
        ("at", Point),
        ("path", Point * 3),
        ("wheels", (ctypes.c_float * 2) * 2),
        ("_reserved", ctypes.c_uint32),
        ("on", ctypes.c_bool),
    ]


class Large(ctypes.Structure):
    _fields_ = [("tick", ctypes.c_uint64), ("data", ctypes.c_ubyte * 100_000)]


class Timed(ctypes.Structure):
    _fields_ = [("tick", ctypes.c_uint64), ("speed", ctypes.c_double)]


class TimedStruct(Struct):
    tick: u64
    speed: f64


class Named(Struct):
    name: Annotated[str, Utf8(16)] = ""
    speed: f64 = 0.0


class NamedInC(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 16), ("speed", ctypes.c_double)]


def car(n: int) -> Car:
    value = Car(tick=n, driver=f"driver {n}".encode(), at=Point(n, -n), _reserved=n, on=True)
    value.path[2].y = value.wheels[1][0] = n
    return value


def content(value: Any) -> bytes:
    return bytes(memoryview(value).cast("B"))


# ---- verbs ---------------------------------------------------------------------------------------------------------


def test_what_is_read_is_an_instance_of_the_class_over_bytes_of_its_own() -> None:
    with ts.create("car", Car) as region:
        region.write(car(7))
        value = region.read()
        assert type(value) is Car
        assert content(value) == content(car(7))
        value.path[2].y = 99
        assert region.read().path[2].y == 7
        region.write(car(8), timeout=1)
        assert region.wait(after=1).tick == 8
        target = Car()
        region.read_into(target)
        assert content(target) == content(car(8))
        follower = region.follow(every=True, start=1, timeout=PATIENCE)
        assert [next(follower).driver for _ in range(2)] == [b"driver 7", b"driver 8"]


def test_no_constructor_of_the_user_runs() -> None:
    class Strict(ctypes.Structure):
        _fields_ = [("n", ctypes.c_int)]

        def __new__(cls, n: int) -> "Strict":
            return super().__new__(cls)

        def __init__(self, n: int) -> None:
            super().__init__(n * 2)

    with ts.share("strict", Strict(2)) as region:
        assert region.read().n == 4
        with region.update() as value:
            value.n += 1
        assert region.read().n == 5


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("cls", [Timed, Large])
def test_blocks_work_on_a_copy_that_is_published_at_their_end(cls: Any, slots: int) -> None:
    with ts.create("value", cls, slots=slots) as region:
        with region.update() as value:  # of an empty region: zeros
            assert type(value) is cls
            assert not any(content(value))
            value.tick = 1
            assert region.version == 0
        assert region.read().tick == 1
        with region.loan() as loaned:
            assert type(loaned) is cls
            loaned.tick = 2
        with pytest.raises(ZeroDivisionError), region.update() as dropped:
            dropped.tick = 1 // 0
        with region.update() as again:
            assert again.tick == 2
        value.tick = loaned.tick = again.tick = 99  # kept from their blocks, they reach no version
        assert (region.read().tick, region.version) == (2, 3)


def test_a_copy_that_was_resized_in_its_block_is_not_published() -> None:
    with ts.create("timed", Timed) as region:
        region.write(Timed(1))
        with pytest.raises(ts.FieldValueError, match="was resized"), region.update() as value:
            ctypes.resize(value, 64)
        assert region.version == 1
        bigger = Timed()
        ctypes.resize(bigger, 64)
        with pytest.raises(FieldTypeError, match="resized to 64 bytes"):
            region.write(bigger)


def test_what_is_borrowed_is_a_read_only_struct_which_ends_with_its_block() -> None:
    with ts.create("car", Car) as region:
        region.write(car(5))
        with region.borrow() as value:
            assert isinstance(value, Struct)
            assert (value.tick, value.at.x, value.path[2].y, value.on) == (5, 5.0, 5.0, True)
            assert value.wheels.tolist() == [[0, 0], [5, 0]]
            with pytest.raises(ts.ReadOnly):
                value.tick = 6
            with pytest.raises(ts.ReadOnly):
                value.at.x = 6
            with pytest.raises(ValueError, match="read-only"):
                value.wheels[0] = 6
            kept = copy.copy(value)
            assert region.info().pinned == 1
        assert region.info().pinned == 0
        with pytest.raises(ts.Closed):
            _ = value.tick
        region.write(kept)
        assert content(region.read()) == content(car(5))
        for followed in region.follow(start="oldest", borrow=True):
            assert isinstance(followed, Struct)
            break


def test_what_is_no_instance_is_refused_with_the_difference() -> None:
    class Longer(Timed):
        _fields_ = [("more", ctypes.c_int)]

    with ts.create("timed", Timed) as region:
        for wrong, words in (
            (3, r"expected a Timed, found 3 \(int\)"),
            (Timed, "found the class Timed"),
            (Point(), "found a Point, which has another layout"),
            (Longer(), "found a Longer, which has another layout"),
            (Named(), "found a Named, which has another layout"),
        ):
            with pytest.raises(FieldTypeError, match="write: .*" + words):
                region.write(wrong)  # type: ignore[arg-type]
        with pytest.raises(FieldTypeError, match=r"read_into: expected a Timed, .*one to fill is Timed\(\)"):
            region.read_into(None)  # type: ignore[arg-type]
        assert region.version == 0


def test_a_class_that_is_declared_again_is_the_same() -> None:
    def declare(kind: Any) -> Any:
        return type("Timed", (ctypes.Structure,), {"_fields_": [("tick", ctypes.c_uint64), ("speed", kind)]})

    again, other = declare(ctypes.c_double), declare(ctypes.c_int64)
    with ts.create("timed", Timed) as region:
        region.write(again(3, 4))
        assert region.read().speed == 4
        target = again()
        region.read_into(target)
        assert target.tick == 3
        with pytest.raises(FieldTypeError, match=r"speed: f64 at 8 \| i64 at 8"):
            region.write(other(3, 4))


# ---- layouts -------------------------------------------------------------------------------------------------------

_NUMBERS = [
    *(ctypes.c_int8, ctypes.c_uint8, ctypes.c_int16, ctypes.c_ushort, ctypes.c_int, ctypes.c_uint32, ctypes.c_long),
    *(ctypes.c_ulonglong, ctypes.c_size_t, ctypes.c_float, ctypes.c_double),
]


def types(native: bool, depth: int = 2) -> "st.SearchStrategy[Any]":
    """Types of fields; ctypes swaps the bytes of numbers and structures only."""
    leaves = st.sampled_from([*_NUMBERS, ctypes.c_char, *([ctypes.c_bool, ctypes.c_wchar] if native else [])])
    arrays = st.builds(lambda item, count: item * count, leaves, st.integers(1, 3))
    deeper = [structures(depth - 1), st.builds(lambda item: item * 2, structures(depth - 1))] if depth else []
    return st.one_of(leaves, arrays, *deeper)


@st.composite
def structures(draw: Any, depth: int = 2) -> Any:
    """Classes of ctypes: packed or not, in either byte order, derived or not, nested."""
    native = draw(st.booleans())
    base = ctypes.Structure if native else ctypes.BigEndianStructure
    cls: Any = base
    count = 0
    for _ in range(draw(st.integers(1, 2))):
        fields = [
            (f"{draw(st.sampled_from(['f', '_f']))}{count + at}", ctype)
            for at, ctype in enumerate(draw(st.lists(types(native, depth), max_size=4)))
        ]
        count += len(fields) + 1
        fields.append((f"f{count - 1}", draw(st.sampled_from(_NUMBERS))))
        body: dict[str, Any] = {}
        pack = draw(st.sampled_from([None, 1, 2, 4]))
        if pack:
            body |= {"_pack_": pack, "_layout_": "ms"}
        cls = type(f"C{count}", (cls,), {**body, "_fields_": fields})
    return cls


def check_places(cls: Any, layout: ts.Layout) -> None:
    """Compare a layout with ctypes' own places."""
    assert (layout.size, layout.name) == (ctypes.sizeof(cls), cls.__name__)
    places = {
        name: (getattr(cls, name), ctype)
        for owner in cls.__mro__
        for name, ctype in vars(owner).get("_fields_", ())
        if not name.startswith("_")
    }
    assert set(places) == {field.name for field in layout.fields}
    for field in layout.fields:
        place, ctype = places[field.name]
        assert (field.offset, field.size) == (place.offset, place.size)
        while issubclass(ctype, ctypes.Array):
            ctype = ctype._type_
        if field.struct is not None:
            check_places(ctype, field.struct)


@given(cls=structures(), data=st.data())
def test_names_places_and_sizes_are_those_of_ctypes(cls: Any, data: Any) -> None:
    layout = ts.layout_of(cls)
    check_places(cls, layout)
    assert ts.layout_of(layout.to_document()) == layout
    noise = data.draw(st.binary(min_size=layout.size, max_size=layout.size))
    value = cls.from_buffer_copy(noise)
    made: Any = ts.to_struct(value)
    assert content(made) == noise
    for field in layout.fields:
        if field.kind[0] in "iu" and field.kind[1:].isdigit() and not field.shape:
            assert getattr(made, field.name) == getattr(value, field.name)


def test_the_document_is_that_of_the_equal_struct() -> None:
    class Inner(Struct):
        a: u8
        b: u32

    class Outer(Struct, byte_order="big"):
        """Of both."""

        n: u32
        inner: Inner
        many: Annotated[NDArray[np.void], Shape(2, of=Inner)]
        speeds: Annotated[NDArray[np.float32], Shape(2, 3)]

    class Packed(Struct, pack=1):
        a: u8
        b: f64

    inner = type("Inner", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_uint8), ("b", ctypes.c_uint32)]})

    class BigOuter(ctypes.BigEndianStructure):
        """Of both."""

        _fields_ = [("n", ctypes.c_uint32), ("speeds", (ctypes.c_float * 3) * 2)]

    class LittleOuter(ctypes.LittleEndianStructure):
        """Of both."""

        _fields_ = [
            ("n", ctypes.c_uint32.__ctype_be__),
            ("inner", inner),
            ("many", inner * 2),
            ("speeds", (ctypes.c_float.__ctype_be__ * 3) * 2),
        ]

    class PackedInC(ctypes.Structure):
        _pack_ = 1
        _layout_ = "ms"
        _fields_ = [("a", ctypes.c_uint8), ("b", ctypes.c_double)]

    class Of(Struct, byte_order="big"):
        """Of both."""

        n: u32
        speeds: Annotated[NDArray[np.float32], Shape(2, 3)]

    for cls, struct in ((LittleOuter, Outer), (BigOuter, Of), (PackedInC, Packed)):
        document = json.loads(ts.layout_of(cls).to_document())
        document["layout"]["name"] = struct.__name__
        assert document == json.loads(struct.layout.to_document())


def test_a_struct_may_be_a_field_and_characters_are_bytes_that_end_with_nul() -> None:
    class Outer(ctypes.Structure):
        _fields_ = [("inner", Named), ("key", ctypes.c_char * 4)]

    layout = ts.layout_of(Outer)
    assert layout.fields[0].struct is Named.layout
    assert layout.dtype["key"] == np.dtype("S4")
    with ts.share("outer", Outer(Named(name="Ada"), b"k")) as region:
        assert region.read().inner == Named(name="Ada")


def test_fields_of_anonymous_structures_are_fields_and_hidden_ones_are_padding() -> None:
    class Part(ctypes.Structure):
        _fields_ = [("b", ctypes.c_uint16), ("_c", ctypes.c_uint16), ("d", ctypes.c_uint32)]

    class Whole(ctypes.Structure):
        _anonymous_ = ("_part",)
        _fields_ = [("a", ctypes.c_uint32), ("_part", Part), ("_more", ctypes.c_uint8), ("e", ctypes.c_char)]

    layout = ts.layout_of(Whole)
    assert [(field.name, field.offset) for field in layout.fields] == [("a", 0), ("b", 4), ("d", 8), ("e", 13)]
    value = Whole(a=1, b=2, d=3, _more=4)
    value._c = 5
    with ts.share("whole", value) as region, ts.attach("whole") as other:
        assert (region.read()._more, region.read()._c) == (4, 5)
        struct = other.read()
        struct.b = 7
        other.write(struct)
        assert (region.read().b, region.read()._c, region.read()._more) == (7, 5, 4)


class _Bits(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int), ("bits", ctypes.c_int, 3)]


class _Union(ctypes.Union):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_float)]


def _with(ctype: Any, name: str = "odd") -> Any:
    return type("Odd", (ctypes.Structure,), {"_fields_": [("n", ctypes.c_int), (name, ctype)]})


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (_Bits, "_Bits.bits: a bit field, .* declare the whole integer"),
        (_with(_Bits), "_Bits.bits: a bit field"),
        (_with(_Union), r"Odd.odd: a union, .* c_ubyte \* 4"),
        (_Union, "a union, .* declare the member that is used"),
        (_with(_Union * 2), "Odd.odd: a union"),
        (_with(ctypes.c_void_p), r"Odd.odd: c_void_p is an address, .*\(c_char \* 64\)"),
        (_with(ctypes.c_char_p, "_hidden"), "Odd._hidden: c_char_p is an address"),
        (_with(ctypes.c_wchar_p), "Odd.odd: c_wchar_p is an address"),
        (_with(ctypes.py_object), "Odd.odd: py_object is an address"),
        (_with(ctypes.POINTER(Point)), "Odd.odd: LP_Point is an address"),
        (_with(ctypes.CFUNCTYPE(None) * 2), "Odd.odd: CFunctionType is an address"),
        (_with(ctypes.c_int * 0), "Odd.odd: expected an array with items"),
        (_with(ctypes.c_int, "class"), "Odd.class: expected a Python identifier"),
        (type("None_", (ctypes.Structure,), {"_fields_": []}), "None_: expected at least one field"),
        (type("Later", (ctypes.Structure,), {}), "Later declares no fields"),
        (ctypes.c_short, "found c_short; for arrays of it use typedshm.array"),
        (Car(), "its class is Car, and share"),
    ],
)
def test_what_cannot_be_shared_is_refused_by_name_with_the_remedy(cls: Any, words: str) -> None:
    with pytest.raises(SchemaError, match=words):
        ts.create("odd", cls)


def test_a_long_double_is_refused_where_it_is_none_of_the_doubles() -> None:
    if ctypes.sizeof(ctypes.c_longdouble) == ctypes.sizeof(ctypes.c_double):
        assert ts.layout_of(_with(ctypes.c_longdouble)).fields[1].kind == "f64"
    else:
        with pytest.raises(SchemaError, match=r"Odd.odd: the format of c_longdouble depends on the system"):
            ts.layout_of(_with(ctypes.c_longdouble))


def test_a_field_whose_name_was_taken_by_something_else_is_refused() -> None:
    class Taken(ctypes.Structure):
        _fields_ = [("n", ctypes.c_int)]

    Taken.n = property(lambda self: 3)  # type: ignore[assignment]
    with pytest.raises(SchemaError, match=r"Taken.n: expected what ctypes made of _fields_, found <property"):
        ts.layout_of(Taken)


# ---- beside Structs, and without a class ---------------------------------------------------------------------------


def test_a_struct_and_a_class_of_ctypes_share_a_region() -> None:
    with ts.create("timed", Timed) as region, ts.attach("timed", TimedStruct) as other:
        other.write(TimedStruct(tick=1, speed=2.5))
        assert (region.read().tick, region.read().speed) == (1, 2.5)
        region.write(Timed(3, 4))
        assert other.read() == TimedStruct(tick=3, speed=4)
        region.write(TimedStruct(tick=5, speed=6))
        struct = TimedStruct(tick=0, speed=0)
        region.read_into(struct)
        assert struct.tick == 5
        assert ts.version_of(struct) == 3


def test_what_ctypes_cannot_tell_apart_is_the_same_to_it() -> None:
    with ts.create("named", Named) as region, ts.attach("named", NamedInC) as other:
        other.write(NamedInC(b"Ada", 2))
        assert region.read() == Named(name="Ada", speed=2)
        region.write(Named(name="Grace"))
        assert other.read().name == b"Grace"
        with other.update() as value:
            value.speed = 3
        other.write(Named(name=region.read().name, speed=region.read().speed + 1))
        assert region.read() == Named(name="Grace", speed=4)
        for fields in (
            [("name", ctypes.c_char * 16), ("speed", ctypes.c_int64)],
            [("name", ctypes.c_char * 15), ("speed", ctypes.c_double)],
            [("name", ctypes.c_char * 16), ("spead", ctypes.c_double)],
            [("name", ctypes.c_char * 16), ("speed", ctypes.c_double), ("more", ctypes.c_double)],
        ):
            with pytest.raises(LayoutMismatch, match="another layout"):
                ts.attach("named", type("Other", (ctypes.Structure,), {"_fields_": fields}))


def test_times_enums_and_wide_bools_are_numbers_to_ctypes() -> None:
    class Gear(IntEnum):
        N = 0
        FIRST = 1

    class State(Struct):
        at: Annotated[np.datetime64, Timestamp()]
        gear: Annotated[Gear, Scalar("u2")]
        on: Annotated[bool, Scalar("b4")]
        turn: c64

    class StateInC(ctypes.Structure):
        _fields_ = [
            *(("at", ctypes.c_int64), ("gear", ctypes.c_uint16), ("on", ctypes.c_int)),
            ("turn", ctypes.c_float * 2),
        ]

    with ts.create("state", State) as region, ts.attach("state", StateInC) as other:
        other.write(StateInC(10**9, 1, 1, (2, 3)))
        at = np.datetime64("1970-01-01T00:00:01", "ns")
        assert region.read() == State(at=at, gear=Gear.FIRST, on=True, turn=2 + 3j)


def test_a_class_with_the_first_fields_can_read() -> None:
    class First(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char * 16)]

    with ts.share("named", Named(name="Ada", speed=2)), ts.attach("named", First) as region:
        assert region.read().name == b"Ada"
        assert region.readonly
        with pytest.raises(LayoutMismatch, match="speed"):
            region.write(First(b"Bob"))


def test_without_a_class_the_values_are_structs() -> None:
    with ts.share("car", car(3)) as region, ts.attach("car") as other:
        value = other.read()
        assert type(value) is type(ts.to_struct(car(3)))
        assert (type(value).__name__, value.tick, value.path[2].y) == ("Car", 3, 3.0)
        assert value == ts.to_struct(region.read())
        assert other.layout == region.layout == ts.layout_of(Car)
        assert region.layout.doc == "What one car reports."
        assert region.schema is Car
        assert ts.compare(Car, other).same


def test_a_value_becomes_json_as_a_struct() -> None:
    fields = ts.asdict(ts.to_struct(Timed(1, 2.5)), mode="json")
    assert fields == {"tick": 1, "speed": 2.5}
    with pytest.raises(TypeError, match=r"found .*Timed.*; typedshm.to_struct\(value\) makes one"):
        ts.asdict(Timed())  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match=r"_Bits.bits"):
        ts.to_struct(_Bits())


# ---- other processes -----------------------------------------------------------------------------------------------


def bump(pipe: Any, region: Any) -> tuple[str, int]:
    with region:
        value = region.read()
        with region.update() as block:
            block.tick += 1
        return type(value).__qualname__, value.tick


def test_a_handle_reaches_other_processes_with_its_class() -> None:
    with ts.share("car", car(3)) as region:
        assert Child(bump, region).join() == ("Car", 3)
        assert region.read().tick == 4


def test_a_class_that_no_module_has_comes_back_to_its_process() -> None:
    class Local(ctypes.Structure):
        _fields_ = [("n", ctypes.c_int)]

    with ts.share("local", Local(3)) as region:
        for other in (pickle.loads(pickle.dumps(region)), copy.copy(region)):
            with other:
                assert type(other.read()) is Local
        topic = ts.Topic("local", Local)
        assert pickle.loads(pickle.dumps(topic)) == topic


MAIN = """
import ctypes, multiprocessing, pickle, subprocess, sys
import typedshm

class Reading(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int), ("speed", ctypes.c_double)]

def read(region):
    with region:
        return type(region.read()) is Reading, region.read().n

if __name__ == "__main__":
    with typedshm.create("reading", Reading) as region:
        region.write(Reading(3, 4.0))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(read, (region,)))
        for dumps in [pickle.dumps] + [__import__(name).dumps for name in sys.argv[1:]]:
            code = "import pickle, sys; r = pickle.loads(sys.stdin.buffer.read()); print(r.read())"
            done = subprocess.run([sys.executable, "-c", code], input=dumps(region), capture_output=True)
            print(done.stdout.decode())
"""


def test_a_class_of_the_script_arrives_as_itself_or_by_its_document(tmp_path: Path) -> None:
    packers = [name for name in ("cloudpickle", "dill") if _has(name)]
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    done = subprocess.run([sys.executable, script, *packers], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    assert lines == ["(True, 3)", *["Reading(n=3, speed=4.0)"] * (1 + len(packers))]


def _has(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def test_topics_take_the_class() -> None:
    topic = ts.Topic("car", Car, slots=4)
    assert pickle.loads(pickle.dumps(topic)) == topic
    with topic.create() as region, topic.attach() as other:
        region.write(car(2))
        assert type(other.read()) is Car


def test_the_command_line_shows_and_sets_the_fields() -> None:
    pytest.importorskip("click")
    from helpers.terminal import WITH_HELPERS, typedshm

    with ts.share("car", car(3)) as region:
        done = typedshm("show", "car.at")
        assert (done.returncode, "3.0" in done.stdout) == (0, True), done.stderr
        done = typedshm("set", "car", "tick=9", "path[1].x=2")
        assert done.returncode == 0, done.stderr
        assert (region.read().tick, region.read().path[1].x, region.read()._reserved) == (9, 2, 3)
        done = typedshm("layout", "car", "--json")
        assert json.loads(done.stdout)["name"] == "Car"
    done = typedshm("layout", "schema.test_ctypes_classes:Car", env=WITH_HELPERS)
    assert (done.returncode, "Car, schema.test_ctypes_classes:Car" in done.stdout) == (0, True), done.stderr
