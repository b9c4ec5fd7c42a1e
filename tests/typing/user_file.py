# pyright: strict
"""What a user writes; mypy and pyright in strict mode accept all of it and know the types."""

import ctypes
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, assert_type

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

import typedshm
from typedshm import (
    Ansi,
    Bytes,
    Doc,
    Duration,
    Missing,
    Offset,
    Pad,
    Region,
    Scalar,
    Shape,
    Struct,
    Table,
    Timestamp,
    Unit,
    Utf8,
    f32,
    f64,
    u8,
    u64,
)


class Gear(IntEnum):
    NEUTRAL = 0
    FIRST = 1


class Pose(Struct):
    x: f64
    y: f64 = 0.0


class Telemetry(Struct):
    """What one car reports."""

    tick: u64
    speed: Annotated[f32, Unit("m/s")]
    driver: Annotated[str, Utf8(32)]
    key: Annotated[bytes, Bytes(4)]
    gear: Annotated[Gear, Scalar("u1")]
    at: Annotated[datetime, Timestamp()]
    wheels: Annotated[NDArray[np.float32], Shape(4)]
    pose: Annotated[Pose, Doc("in the track's coordinates")]
    rivals: Annotated[NDArray[np.void], Shape(64, of=Pose)]
    braking: bool = False


class Packed(Struct, pack=1, byte_order="big"):
    a: u8
    b: Annotated[u64, Offset(4)]


class Foreign(Struct, size=4096, align=16):
    title: Annotated[str, Ansi(64, "cp1251", errors="replace")]
    gear: Annotated[Gear | int, Scalar("u1", open=True)]
    lap: Annotated[u8 | None, Missing(0)]
    pit: Annotated[bool, Scalar("b4"), Pad(12)]
    took: Annotated[timedelta, Duration("ms", "i4")]
    used: u8
    laps: Annotated[NDArray[np.timedelta64], Duration("us"), Shape(16, count="used")]


def look(foreign: Foreign) -> None:
    assert_type(foreign.title, str)
    assert_type(foreign.gear, Gear | int)
    assert_type(foreign.lap, int | None)
    assert_type(foreign.pit, bool)
    assert_type(foreign.took, timedelta)
    assert_type(foreign.laps, NDArray[np.timedelta64])
    foreign.lap = None
    foreign.gear = 7


class Model(BaseModel):
    tick: Annotated[u64, Field(ge=0)]
    pose: Pose


@dataclass
class Record:
    tick: u64
    wheels: Annotated[NDArray[np.float32], Shape(4)]


def declare(wheels: NDArray[np.float32]) -> Telemetry:
    t = Telemetry(
        tick=1,
        speed=2.5,
        driver="ann",
        key=b"1234",
        gear=Gear.FIRST,
        at=datetime.now(),
        wheels=wheels,
        pose=Pose(x=1),
        rivals=np.zeros(64, Pose.layout.dtype),
    )
    assert_type(t.tick, int)
    assert_type(t.speed, float)
    assert_type(t.driver, str)
    assert_type(t.key, bytes)
    assert_type(t.gear, Gear)
    assert_type(t.at, datetime)
    assert_type(t.wheels, NDArray[np.float32])
    assert_type(t.pose, Pose)
    assert_type(t.pose.x, float)
    assert_type(t.rivals, NDArray[np.void])
    assert_type(t.braking, bool)
    t.wheels[:] = wheels
    t.pose.y = 3.0
    t.tick += 1
    assert_type(Telemetry.layout, typedshm.Layout)
    assert_type(Telemetry.layout.id, bytes)
    assert_type(Telemetry.zero(), Telemetry)
    assert_type(typedshm.asdict(t), dict[str, Any])
    assert_type(typedshm.replace(t, tick=2), Telemetry)
    assert_type(typedshm.version_of(t), int | None)
    assert_type(typedshm.time_of(t), datetime | None)
    assert_type(typedshm.asdict(t, mode="json"), dict[str, Any])
    assert_type(typedshm.raw(t, "pose.x"), bytes)
    assert_type(t.__replace__(tick=3), Telemetry)
    Packed(a=1, b=2)
    return t


def structs(t: Telemetry) -> None:
    with typedshm.create("car", Telemetry, slots=4, mode=0o600) as car:
        assert_type(car, Region[Telemetry])
        car.write(t)
        car.write(t, timeout=1)
        assert_type(car.read(), Telemetry)
        assert_type(car.read().pose.x, float)
        assert_type(car.read(max_age=0.5), Telemetry)
        car.read_into(t)
        car.read_into(t, max_age=1)
        with car.borrow(max_age=None) as b:
            assert_type(b, Telemetry)
        assert_type(car.follow(start="next"), typedshm.Follower[Telemetry])
        assert_type(next(car.follow(start=-3)), Telemetry)
        follower = car.follow(every=True, start="oldest", reattach=True)
        assert_type(follower.region.name, str | PathLike[str])
        assert_type(follower.region.read(), Telemetry)
        assert_type(follower.region.info().unlinked, bool)
        assert_type((follower.instance, follower.reattached, follower.failed), tuple[str, int, int])
        assert_type(car.reattach(timeout=1), Region[Telemetry])
        assert_type(car.fileno(), int)
        with car.update() as u:
            assert_type(u, Telemetry)
            u.tick += 1
        with car.loan(timeout=1.5) as u:
            assert_type(u.wheels, NDArray[np.float32])
        with car.lock(timeout=1):
            car.write(t)
        assert_type(car.wait(timeout=1), Telemetry)
        assert_type(car.wait(after=3), Telemetry)
        assert_type(car.version, int)
        assert_type(car.info(), typedshm.RegionInfo)
    assert_type(typedshm.attach("car", Telemetry, timeout=5, readonly=True), Region[Telemetry])
    assert_type(typedshm.open("car", Telemetry), Region[Telemetry])
    assert_type(typedshm.open(Path("car.shm"), Telemetry), Region[Telemetry])


def models_and_dataclasses(wheels: NDArray[np.float32]) -> None:
    with typedshm.create("model", Model) as region:
        assert_type(region, Region[Model])
        region.write(Model(tick=1, pose=Pose(x=1)))
        assert_type(region.read(), Model)
        assert_type(region.wait().pose, Pose)
        with region.update() as value:
            value.pose.x = 2.0
    with typedshm.attach("record", Record) as records:
        assert_type(records, Region[Record])
        records.write(Record(1, wheels))
        assert_type(records.read().wheels, NDArray[np.float32])


def arrays(table: NDArray[np.float32]) -> None:
    assert_type(typedshm.array(np.float32, 1024, 1024), typedshm.ArraySchema[np.float32])
    assert_type(typedshm.array(np.dtype(np.int16), 3), typedshm.ArraySchema[np.int16])
    assert_type(typedshm.array(Pose, 3), typedshm.ArraySchema[np.void])
    with typedshm.create("lut", typedshm.array(np.float32, 1024, 1024)) as lut:
        assert_type(lut, Region[NDArray[np.float32]])
        lut.write(table)
        assert_type(lut.read(), NDArray[np.float32])
        lut.read_into(table)
        with lut.loan() as value:
            assert_type(value, NDArray[np.float32])
    assert_type(typedshm.attach("lut", typedshm.array(np.float32, 4)), Region[NDArray[np.float32]])
    assert_type(typedshm.open("lut", typedshm.array(np.float32, 4)), Region[NDArray[np.float32]])
    assert_type(typedshm.share("lut", table), Region[NDArray[np.float32]])


class Wheel(ctypes.Structure):
    _fields_ = [("turns", ctypes.c_uint64), ("speed", ctypes.c_float)]


ROW = np.dtype([("turns", "u8"), ("speed", "f4")])


def what_there_is_already(wheel: Wheel, rows: NDArray[np.void]) -> None:
    with typedshm.create("wheel", Wheel) as region:
        assert_type(region, Region[Wheel])
        region.write(wheel)
        region.read_into(wheel)
        assert_type(region.read(), Wheel)
        assert_type(region.wait(timeout=1), Wheel)
        with region.update() as value:
            assert_type(value, Wheel)
            value.turns += 1
    assert_type(typedshm.attach("wheel", Wheel, timeout=5), Region[Wheel])
    assert_type(typedshm.open("wheel", Wheel), Region[Wheel])
    assert_type(typedshm.share("wheel", wheel), Region[Wheel])
    assert_type(typedshm.Topic("wheel", Wheel).attach().read(), Wheel)
    with typedshm.create("row", ROW, slots=4) as table:
        assert_type(table, Region[NDArray[np.void]])
        assert_type(table.read(), NDArray[np.void])
        with table.update() as row:
            row["turns"] += 1
    assert_type(typedshm.attach("row", ROW, timeout=5), Region[NDArray[np.void]])
    assert_type(typedshm.open("row", np.dtype(Pose)), Region[NDArray[np.void]])
    assert_type(typedshm.Topic("row", ROW, slots=4), typedshm.Topic[Region[NDArray[np.void]]])
    assert_type(typedshm.layout_of(ROW), typedshm.Layout)


def tables(t: Telemetry, wanted: NDArray[np.int64]) -> None:
    assert_type(typedshm.rows(Telemetry, 100), typedshm.TableSchema[Telemetry])
    with typedshm.create("cars", typedshm.rows(Telemetry, 100), slots=1) as cars:
        assert_type(cars, Table[Telemetry])
        cars[17] = t
        assert_type(cars[17], Telemetry)
        assert_type(cars[np.int64(3)], Telemetry)
        assert_type(cars[3:5], NDArray[Any])
        assert_type(cars[wanted], NDArray[Any])
        assert_type(cars[[1, 2]], NDArray[Any])
        assert_type(cars.read(17, missing="zero"), Telemetry)
        assert_type(cars.read(wanted, out=np.zeros(3)), NDArray[Any])
        cars.write(wanted, {"speed": np.zeros(3)}, timeout=1)
        cars.write([1, 2], [t, t])
        with cars.update(17, timeout=1) as u, cars.lock([1, 2]):
            assert_type(u, Telemetry)
        assert_type(cars.append(t), int)
        assert_type(cars.append_many([t]), NDArray[np.int64])
        assert_type(cars.wait([1, 2], timeout=1), NDArray[np.int64])
        follower = cars.follow(start="newest")
        assert_type(follower, typedshm.RowFollower[Telemetry])
        assert_type(follower.poll(), NDArray[np.int64])
        for _, value in follower:
            assert_type(value, Telemetry)
        assert_type((cars.filled, len(cars), cars.keys), tuple[int, int, tuple[str, ...]])
        assert_type(cars.info(), typedshm.TableInfo)
        assert_type(cars.reattach(timeout=1), Table[Telemetry])
    assert_type(typedshm.attach("cars", typedshm.rows(Telemetry), readonly=True), Table[Telemetry])
    assert_type(typedshm.attach("cars", typedshm.rows()), Table[Any])
    assert_type(typedshm.open("cars", typedshm.rows(Model, keys=["left", "right"])), Table[Model])
    assert_type(typedshm.open("cars", typedshm.rows(Model, keys=["left", "right"]))["left"], Model)
    assert_type(typedshm.create("rows", typedshm.rows(ROW, 10))[3], NDArray[np.void])
    assert_type(typedshm.Topic("cars", typedshm.rows(Telemetry, 10)), typedshm.Topic[Table[Telemetry]])
    assert_type(typedshm.Topic("cars", typedshm.rows(Telemetry, 10)).attach()[3].tick, int)


CAR = typedshm.Topic("car", Telemetry, slots=64)
MODEL = typedshm.Topic(Path("model"), Model, scope="machine", mode=0o644, check=False)
LUT = typedshm.Topic("lut", typedshm.array(np.float32, 4), prefault=True, lock_memory=True, huge_pages=True)
ANNOTATED: typedshm.Topic[Region[Record]] = typedshm.Topic("record", Record)


def look_at(topic: typedshm.Topic[Region[Any]]) -> int:
    with topic.attach() as region:
        return region.version


def topics(t: Telemetry) -> None:
    assert_type(CAR, typedshm.Topic[Region[Telemetry]])
    assert_type(CAR.create(slots=3, mode=0o600, huge_pages=False), Region[Telemetry])
    assert_type(CAR.open(slots=3, prefault=True), Region[Telemetry])
    assert_type(CAR.attach(timeout=None, readonly=True, check=False), Region[Telemetry])
    with CAR.create() as region:
        assert_type(region, Region[Telemetry])
        region.write(t)
        assert_type(region.read().pose.x, float)
    assert_type(MODEL.open().read(), Model)
    assert_type(LUT.attach(timeout=5).read(), NDArray[np.float32])
    assert_type(ANNOTATED.attach().read(), Record)
    assert_type(CAR.changed(name="car-2").attach(), Region[Telemetry])
    assert_type(CAR.name, str | PathLike[str])
    assert_type(CAR.slots, int | None)
    assert_type({CAR: 1}, dict[typedshm.Topic[Region[Telemetry]], int])
    assert_type([look_at(topic) for topic in (CAR, MODEL, LUT)], list[int])
    CAR.unlink(unused=True)


def without_a_class() -> None:
    with typedshm.attach("car") as car:
        assert_type(car, Region[Any])
        print(car.read().speed)
    frame = typedshm.load("camera-frame")
    with typedshm.attach("camera", frame) as camera:
        print(camera.read().image)


def the_rest() -> None:
    assert_type(typedshm.regions(), list[typedshm.Entry])
    assert_type(typedshm.entries(namespaces=True), list[typedshm.Entry])
    assert_type(typedshm.look("car", kind="mutex").lock_holder, typedshm.Participant | None)
    assert_type(typedshm.opened_by([Path("car"), "bus"]), dict[str, tuple[int, ...]])
    assert_type(typedshm.command_of(4711), str)
    with typedshm.NamedMutex("calibration") as mutex:
        assert_type(mutex.recovered, bool)
        assert_type(mutex.fileno(), int)
    with typedshm.RawSection("section", 64, timeout=1) as section:
        assert_type(section.as_struct(Pose, 8), Pose)
        assert_type(section.array(np.float32, (2, 3), offset=4, stride=(16, 4)), NDArray[Any])
    assert_type(typedshm.path_of("car"), Path)
    typedshm.unlink("car")
    typedshm.unlink("car", kind="mutex", unused=True)
    assert_type(typedshm.get_include(), str)
    Telemetry.model().model_validate(Telemetry.zero()).model_dump_json()
