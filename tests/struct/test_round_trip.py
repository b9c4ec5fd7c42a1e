"""Whatever a Struct holds comes back the same through each of its faces, its document, and a region."""

import copy
import ctypes
import pickle
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import typedshm
from typedshm import Struct
from typedshm.layout import document
from typedshm.layout.kinds import KINDS
from typedshm.struct.loading import struct_of
from typedshm.testing.strategies import instances, structs

SETTINGS = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def same(one: Any, other: Any) -> bool:
    """Compare what asdict() gives, classes and enums aside."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else one == other


@st.composite
def values(draw: st.DrawFn) -> Struct:
    return draw(instances(draw(structs())))


@SETTINGS
@given(values())
def test_struct_dtype_and_ctypes_are_three_faces_of_the_same_bytes(value):
    cls = type(value)

    class Plain(ctypes.Structure):
        if hasattr(cls, "_pack_"):
            _pack_ = cls._pack_
        if hasattr(cls, "_layout_"):
            _layout_ = cls._layout_
        _fields_ = cls._fields_

    plain = Plain.from_buffer_copy(value)
    record = np.frombuffer(bytes(value), cls.layout.dtype)[0]
    assert ctypes.sizeof(Plain) == cls.layout.size == record.dtype.itemsize
    for field in cls.layout.fields:
        face, expected = getattr(Plain, field.name), getattr(value, field.name)
        assert (face.offset, face.offset + face.size) == (field.start, field.end)
        assert cls.layout.dtype.fields[field.name][1] == field.start
        found = record[field.name]
        own = getattr(plain, field.name)
        if field.free:
            used = getattr(plain, field.used_name)
            assert expected.shape[: field.free] == (tuple(used) if field.free > 1 else (used,))
            assert np.array_equal(found.reshape(-1)[: expected.size], expected.reshape(-1))
        elif field.shape:
            assert np.array_equal(found[: len(expected)], expected)
        elif field.kind == "struct":
            assert bytes(own) == bytes(expected) == found.tobytes()
        elif field.kind == "bytes" or found.dtype.kind == "S":
            data = expected if field.kind == "bytes" else expected.encode(field.codec)
            assert found.tobytes().rstrip(b"\0") == data.rstrip(b"\0") == bytes(own).rstrip(b"\0")
        elif field.kind == "utf16":
            assert found.tobytes().decode(field.codec).rstrip("\0") == expected
        elif not KINDS[field.kind].unit:
            expected = field.missing if expected is None else expected
            assert found == expected
            if KINDS[field.kind].python is not str and field.kind not in ("f16", "c64", "c128"):
                assert own == expected


@SETTINGS
@given(values())
def test_copies_pickled_layouts_and_documents(value):
    cls = type(value)
    assert copy.copy(value) == value
    assert typedshm.replace(value) == value
    layout, form = document.parse(cls.layout.to_document())
    assert (layout, layout.id, form) == (cls.layout, cls.layout.id, "struct")
    assert pickle.loads(pickle.dumps(layout)) == layout
    described = struct_of(layout)
    other = described.zero()
    ctypes.memmove(ctypes.byref(other), ctypes.byref(value), layout.size)
    assert same(typedshm.asdict(other), typedshm.asdict(value))
    assert same(typedshm.asdict(pickle.loads(pickle.dumps(other))), typedshm.asdict(value))


@SETTINGS
@given(value=values(), slots=st.integers(1, 4))
def test_a_region(value, slots):
    with (
        typedshm.create("drawn", type(value), slots=slots) as region,
        typedshm.attach("drawn") as described,
        typedshm.attach("drawn", readonly=True) as reader,
    ):
        region.write(value)
        assert region.read() == value
        assert typedshm.version_of(region.read()) == 1
        into = type(value).zero()
        region.read_into(into)
        assert into == value
        assert same(typedshm.asdict(reader.read()), typedshm.asdict(value))
        with described.update():
            pass
        with region.loan() as loaned:
            for name in typedshm.asdict(value):
                setattr(loaned, name, getattr(value, name))
        assert region.read() == value
        assert region.version == described.version == 3
