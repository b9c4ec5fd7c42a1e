"""What a region's values may be: Structs, some of their fields, arrays, pydantic models, dataclasses, or unknown."""

import copy
import dataclasses

import numpy as np
import pydantic
import pytest

import typedshm
from helpers.shared_types import Car, Other, Tick, whole
from typedshm import f32, u8, u64


def test_attach_without_a_class():
    with typedshm.create("car", Car) as car, typedshm.attach("car") as other:
        car.write(whole(3))
        value = other.read()
        assert typedshm.asdict(value)["driver"] == "driver 3"
        assert (value.tick, value.pose.y, value.wheels.tolist()) == (3, -3.0, [3.0] * 4)
        with other.update() as t:
            t.tick = 4
            t.pose.x = 9
        assert car.read().tick == 4
        assert car.read().pose.x == 9


@pytest.mark.parametrize("slots", [1, 3])
def test_a_schema_with_fewer_fields_may_read_and_not_write(slots):
    with typedshm.create("car", Car, slots=slots) as car, typedshm.attach("car", Tick) as reader:
        car.write(whole(5))
        assert reader.read() == Tick(tick=5, speed=5.0)
        assert reader.readonly
        value = Tick()
        reader.read_into(value)
        assert value.tick == 5
        for verb in (lambda: reader.write(Tick()), reader.update().__enter__, reader.loan().__enter__):
            with pytest.raises(
                typedshm.LayoutMismatch, match="can be read with this schema, but not written"
            ) as caught:
                verb()
            assert "driver" in str(caught.value)


@dataclasses.dataclass
class Importable:
    """One that a pickle names."""

    n: u64 = 3


def test_a_copied_handle_is_another_handle_of_the_region():
    for schema in (Car, Importable, typedshm.array(np.float32, 3)):
        with typedshm.create("copied", schema) as region:
            for copied in (copy.copy, copy.deepcopy):
                with copied(region) as other:
                    assert (other.instance, other.schema) == (region.instance, region.schema)


def test_another_layout_is_refused_with_the_difference():
    with typedshm.create("car", Car):
        with pytest.raises(typedshm.LayoutMismatch, match=r"'car' has another layout") as caught:
            typedshm.attach("car", Other)
        assert isinstance(caught.value, TypeError)
        line = next(line for line in str(caught.value).splitlines() if "speed" in line)
        assert "f64" in line
        assert "f32" in line
        with pytest.raises(typedshm.LayoutMismatch):
            typedshm.open("car", Other)
    with typedshm.create("car", Tick), pytest.raises(typedshm.LayoutMismatch, match="driver"):
        typedshm.attach("car", Car)  # appended fields that the region lacks


def test_arrays():
    with typedshm.create("lut", typedshm.array(np.float32, 3, 4)) as lut, typedshm.attach("lut") as other:
        table = np.arange(12, dtype=np.float32).reshape(3, 4)
        lut.write(table)
        assert np.array_equal(other.read(), table)
        assert other.read().dtype == np.float32
        target = np.zeros((3, 4), np.float32)
        other.read_into(target)
        assert np.array_equal(target, table)
        lut.write(np.asfortranarray(table))
        assert np.array_equal(other.read(), table)
        with lut.update() as t:
            t[1] = 7
        with lut.loan() as t:
            assert t.shape == (3, 4)
            t[:] = other.read() + 1
        assert other.wait(timeout=0)[1].tolist() == [8.0] * 4
        for wrong in (table.astype(np.float64), table[:2], table.T):
            with pytest.raises((typedshm.FieldTypeError, typedshm.FieldValueError)):
                lut.write(wrong)
        assert lut.version == 4


def test_share_makes_and_writes():
    table = np.arange(6, dtype=np.int16).reshape(2, 3)
    with typedshm.share("lut", table) as lut, typedshm.attach("lut", typedshm.array(np.int16, 2, 3)) as other:
        assert lut.version == 1
        assert np.array_equal(other.read(), table)
        with pytest.raises(typedshm.LayoutMismatch):
            typedshm.attach("lut", typedshm.array(np.int16, 3, 2))


class Model(pydantic.BaseModel):
    tick: u64 = 0
    level: u8 = 3


@dataclasses.dataclass
class Plain:
    tick: u64 = 0
    speed: f32 = 1.5


def test_pydantic_models_are_schemas():
    with typedshm.create("model", Model) as region:
        with region.update() as t:  # the generated Struct, from the model's defaults
            assert (t.tick, t.level) == (0, 3)
            t.tick = 2
        assert region.read() == Model(tick=2, level=3)
        region.write(Model(tick=3))
        assert region.wait(timeout=0) == Model(tick=3)


def test_dataclasses_are_schemas():
    with typedshm.create("plain", Plain) as region:
        region.write(Plain(tick=4))
        assert region.read() == Plain(4, 1.5)
        with region.loan() as t:
            t.tick, t.speed = 5, 2.5
        assert region.read() == Plain(5, 2.5)


@pytest.mark.parametrize(
    "schema",
    [
        Car,
        typedshm.array(np.dtype(">i4"), 2, 3),
        typedshm.array(Tick, 4),
        typedshm.array(np.dtype([("a", "u1"), ("b", [("c", "f8")])]), 2),
    ],
)
def test_the_schema_of_a_handle_that_was_opened_without_one_makes_a_region_like_it(schema):
    with (
        typedshm.create("one", schema) as one,
        typedshm.attach("one") as attached,
        typedshm.create("other", attached.schema) as other,
    ):
        assert one.schema is schema
        assert other.layout == one.layout
        one.write(schema.zeros() if isinstance(schema, typedshm.ArraySchema) else whole(3))
        other.write(attached.read())
        assert bytes(other.read()) == bytes(one.read())
