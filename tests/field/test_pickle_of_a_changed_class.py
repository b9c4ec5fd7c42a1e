"""A pickled Struct is not read with a class that has changed since: LayoutMismatch says what is different."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import typedshm
from typedshm import LayoutMismatch, to_struct
from typedshm.struct.loading import struct_from_layout

IMPORTS = """
import dataclasses
from typing import Annotated
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from typedshm import *
"""
FIRST = "class Place(Struct):\n    lat: f64\n    lon: f64\n"
OTHERS = {
    "other order": "class Place(Struct):\n    lon: f64\n    lat: f64\n",
    "other byte order": "class Place(Struct, byte_order='big'):\n    lat: f64\n    lon: f64\n",
    "other kinds": "class Place(Struct):\n    id: u64\n    lat: f32\n    lon: f32\n",
    "other unit": "class Place(Struct):\n    lat: Annotated[f64, Unit('rad')]\n    lon: f64\n",
    "other name": "class Place(Struct):\n    lat: f64\n    lng: f64\n",
    "an array": "class Place(Struct):\n    at: Annotated[NDArray[np.float64], Shape(2)]\n",
    "more fields": "class Place(Struct):\n    lat: f64\n    lon: f64\n    height: f64\n",
    "fewer fields": "class Place(Struct):\n    lat: f64\n",
    "a dataclass": "@dataclasses.dataclass\nclass Place:\n    lon: f64\n    lat: f64\n",
    "a model": "class Place(BaseModel):\n    lon: f64\n    lat: f64\n",
}
Module = Callable[[str], Any]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """Declares a version of the module navigation."""
    made = types.ModuleType("navigation")
    monkeypatch.setitem(sys.modules, "navigation", made)

    def version(source: str) -> Any:
        exec(IMPORTS + source, made.__dict__)
        return made

    return version


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_class_that_has_changed_is_refused_with_the_difference(module: Module, source: str, protocol: int):
    kept = pickle.dumps([module(FIRST).Place(lat=48.1, lon=11.6)], protocol)
    module(source)
    with pytest.raises(LayoutMismatch) as refused:
        pickle.loads(kept)
    words = str(refused.value)
    assert words.startswith("navigation.Place has changed since this value was pickled (pickle | class):\nPlace ")
    assert any(f"{mark} {name}: " in words for mark in (" ", "-", "+") for name in ("lat", "lon", "height"))


def test_the_message_names_each_field_on_both_sides(module: Module):
    kept = pickle.dumps(module(FIRST).Place(lat=48.1, lon=11.6))
    module(OTHERS["other unit"])
    with pytest.raises(LayoutMismatch, match=r"lat: f64 at 0 \| f64 rad at 0"):
        pickle.loads(kept)


@pytest.mark.parametrize(
    "source",
    [
        "class Place(Struct):\n    'Documented now.'\n    lat: Annotated[f64, Doc('north')]\n    lon: f64 = 1.0\n",
        "class Place(Struct):\n    lat: f64\n    lon: f64\n    def where(self):\n        return self.lat\n",
    ],
)
def test_what_does_not_change_the_bytes_is_no_change(module: Module, source: str):
    kept = pickle.dumps(module(FIRST).Place(lat=48.1, lon=11.6))
    changed = module(source)
    assert pickle.loads(kept) == changed.Place(lat=48.1, lon=11.6)
    assert type(pickle.loads(kept)) is changed.Place


GENERATED = {
    "dataclass": "@dataclasses.dataclass\nclass Place:\n    {}: f64\n    {}: f64\n",
    "model": "class Place(BaseModel):\n    {}: f64\n    {}: f64\n",
}


@pytest.mark.parametrize("source", GENERATED.values(), ids=GENERATED)
def test_the_structs_of_models_and_dataclasses_are_compared_too(module: Module, source: str):
    value = module(source.format("lat", "lon")).Place(lat=48.1, lon=11.6)
    kept = pickle.dumps(to_struct(value))
    assert pickle.loads(kept) == to_struct(value)
    module(source.format("lon", "lat"))
    with pytest.raises(LayoutMismatch, match=r"navigation\.Place has changed since"):
        pickle.loads(kept)


@pytest.mark.parametrize("source", [FIRST, *(source.format("lat", "lon") for source in GENERATED.values())])
def test_a_pickled_region_is_compared_when_it_is_opened(module: Module, source: str):
    declared = module(source)
    with typedshm.create("place", declared.Place) as region:
        region.write(declared.Place(lat=48.1, lon=11.6))
        kept = pickle.dumps(region)
        with pickle.loads(kept) as same:
            assert same.read() == region.read()
        module(OTHERS["other order"])
        with pytest.raises(LayoutMismatch, match="has another layout"):
            pickle.loads(kept)


def test_a_class_that_is_gone_is_replaced_by_its_description(module: Module):
    declared = module(FIRST)
    kept = pickle.dumps(declared.Place(lat=48.1, lon=11.6))
    del declared.Place
    one, other = pickle.loads(kept), pickle.loads(kept)
    assert (one.lat, one.lon) == (48.1, 11.6)
    assert type(one) is type(other)
    assert one == other
    assert f"{type(one).__module__}.{type(one).__qualname__}" == "navigation.Place"
    module(FIRST)
    assert type(pickle.loads(kept)) is declared.Place


def test_nested_values_are_compared_by_the_whole_layout(module: Module):
    inner, outer = "class Place(Struct):\n    lat: f64\n    lon: f64\n", "class Car(Struct):\n    at: Place\n"
    declared = module(inner + outer)
    kept = pickle.dumps(declared.Car(at=declared.Place(lat=1.0, lon=2.0)))
    assert pickle.loads(kept).at.lat == 1.0
    module(inner.replace("lat", "north") + outer)
    with pytest.raises(LayoutMismatch, match=r"at\.lat|at\.north"):
        pickle.loads(kept)


def test_described_structs_are_not_affected(module: Module):
    value = struct_from_layout(module(FIRST).Place.layout).zero()
    kept = pickle.dumps(value)
    module(OTHERS["other order"])
    assert pickle.loads(kept) == value


def test_copies_in_the_same_process_are_not_affected(module: Module):
    value = module(FIRST).Place(lat=48.1, lon=11.6)
    module(OTHERS["other order"])
    for duplicate in (copy.copy(value), copy.deepcopy(value)):
        assert duplicate == value


def test_a_damaged_pickle_is_an_error(module: Module):
    kept = pickle.dumps(module(FIRST).Place(lat=48.1, lon=11.6), 3)
    data = bytes(memoryview(module(FIRST).Place(lat=48.1, lon=11.6)))
    assert data in kept
    shorter = kept.replace(b"C\x10" + data, b"C\x0f" + data[:-1])
    with pytest.raises(ValueError, match="expected a pickle of 16 bytes, found 15"):
        pickle.loads(shorter)


def test_asdict_makes_pickles_that_depend_on_no_class(module: Module):
    kept = pickle.dumps(typedshm.asdict(module(FIRST).Place(lat=48.1, lon=11.6)))
    changed = module(OTHERS["other order"])
    assert changed.Place(**pickle.loads(kept)) == changed.Place(lat=48.1, lon=11.6)


def test_a_local_class_keeps_its_identity_in_one_process():
    class Local(typedshm.Struct):
        n: typedshm.u64

    @dataclasses.dataclass
    class Record:
        n: typedshm.u64

    again = pickle.loads(pickle.dumps([Local(n=1), Local, to_struct(Record(2))]))
    assert again == [Local(n=1), Local, to_struct(Record(2))]
    assert type(again[0]) is again[1] is Local


ECHO = "import pickle, sys; sys.stdout.buffer.write(pickle.dumps(pickle.load(sys.stdin.buffer)))"


def test_a_local_class_keeps_its_identity_by_way_of_a_process_that_does_not_have_it():
    class Local(typedshm.Struct):
        n: typedshm.u64

    sent = pickle.dumps([Local(n=1), Local])
    back = subprocess.run([sys.executable, "-c", ECHO], input=sent, capture_output=True, check=True).stdout
    again = pickle.loads(back)
    assert again == [Local(n=1), Local]
    assert type(again[0]) is again[1] is Local


DEFAULTS = """if True:
    import sys, LIBRARY
    cls, = LIBRARY.load(sys.stdin.buffer)
    value = cls(b=7)
    print(value.a, value.b, cls.model()(b=7).a)
"""


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
def test_a_class_that_travels_by_value_keeps_its_defaults(library: str):
    pickler = pytest.importorskip(library, exc_type=ImportError)
    if library == "dill" and sys.version_info >= (3, 14):
        pytest.skip("dill 0.4 does not carry a class of a function to a process without it there")

    class Local(typedshm.Struct):
        a: typedshm.u64 = 5
        b: typedshm.u64

    words = [sys.executable, "-c", DEFAULTS.replace("LIBRARY", library)]
    printed = subprocess.run(words, input=pickler.dumps([Local]), capture_output=True, check=True).stdout
    assert printed.split() == [b"5", b"7", b"5"]


def test_instances_of_the_model_of_a_struct_travel_by_the_struct(module: Module):
    declared = module(FIRST)
    model = declared.Place.model()(lat=48.1, lon=11.6)
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert type(again) is declared.Place.model()
    assert again.model_fields_set == {"lat", "lon"}
    assert model.model_copy(deep=True) == copy.deepcopy(model) == copy.copy(model) == model


def test_a_region_of_the_model_of_a_struct_gives_the_model_again(module: Module):
    declared = module(FIRST)
    model = declared.Place.model()
    with typedshm.create("place", model) as region:
        region.write(model(lat=48.1, lon=11.6))
        with pickle.loads(pickle.dumps(region)) as same:
            assert type(same.read()) is model
