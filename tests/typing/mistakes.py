# pyright: strict
"""Deliberate mistakes: both checkers must report every line that ends in ``# mistake``, and no other."""

import numpy as np
from user_file import CAR, Model, Pose, Record, Telemetry

import typedshm


def take(topic: "typedshm.Topic[typedshm.Region[Pose]]") -> None: ...
def take_value(topic: "typedshm.Topic[Pose]") -> None: ...  # mistake


def mistakes(t: Telemetry, integers: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> None:
    print(t.sped)  # mistake
    t.sped = 1.0  # mistake
    print(t.pose.z)  # mistake
    print(t.pose.from_address)  # mistake
    Pose()  # mistake
    Pose(x=1.0, z=2.0)  # mistake
    Pose(1.0, 2.0)  # mistake
    Pose(x="1")  # mistake
    t.tick = 1.5  # mistake
    t.driver = b"ann"  # mistake
    t.pose = t  # mistake
    t.wheels = integers  # mistake
    Telemetry.layout.size = 3  # mistake
    with typedshm.create("car", Telemetry) as car:
        car.write(1)  # mistake
        car.write(Pose(x=1))  # mistake
        car.read_into(Pose(x=1))  # mistake
        car.write(t, timout=1)  # mistake
        print(car.read().sped)  # mistake
        with car.update() as u:
            u.sped = 1.0  # mistake
        with car.loan() as u:
            print(u.sped)  # mistake
        print(car.wait(timeout="1"))  # mistake
    with typedshm.create("model", Model) as model:
        model.write(t)  # mistake
        print(model.read().tack)  # mistake
    with typedshm.attach("record", Record) as record:
        print(record.wait().tack)  # mistake
    typedshm.create("number", 3)  # mistake
    with typedshm.create("lut", typedshm.array(np.float32, 3)) as lut:
        lut.write(integers)  # mistake
        lut.write(t)  # mistake
    with CAR.create() as car:
        car.write(Pose(x=1))  # mistake
        print(car.read().sped)  # mistake
    CAR.create(timeout=5)  # mistake
    CAR.attach(slots=5)  # mistake
    CAR.attach(timeout="5")  # mistake
    CAR.open(5)  # mistake
    CAR.slots = 3  # mistake
    typedshm.Topic("car")  # mistake
    typedshm.Topic("car", 3)  # mistake
    typedshm.Topic("car", Telemetry, 64)  # mistake
    typedshm.Topic("car", Telemetry, timeout=5)  # mistake
    take(CAR)  # mistake
    typedshm.array(3, 3)  # mistake
    typedshm.attach("car", Telemetry, scope="everybody")  # mistake
    typedshm.creat("car", Telemetry)  # mistake
