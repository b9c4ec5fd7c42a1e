"""The joints of two arms as a blackboard: each controller writes its joint a thousand times a second, a monitor looks.

    python examples/arm_joints.py

Each joint is a row with a key, and has one process that writes it. Controllers never wait for each other, nor for the
monitor. The monitor reads all joints at once into one array, by which it draws and computes, and follows the table
for a second: it is told of each joint that changed, with the newest state, and never misses the last change.
"""

import collections
import multiprocessing
import time
from multiprocessing.synchronize import Event

import numpy as np

import typedshm
from typedshm import Struct, Table, f64, rows, u64

JOINTS = [f"{side} {joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")]
PERIOD = 0.001
PATIENCE = 60


class Joint(Struct):
    """The state of one joint."""

    tick: u64
    angle: f64
    velocity: f64
    torque: f64 = 0.0


def control(arms: Table[Joint], key: str, stop: Event) -> None:
    """Be the controller of one joint: a swing that is measured and published each millisecond."""
    phase = float(JOINTS.index(key))
    began = time.perf_counter()
    tick = 0
    while not stop.is_set():
        tick += 1
        at = tick * PERIOD + phase
        arms[key] = Joint(tick=tick, angle=np.sin(at), velocity=np.cos(at))
        if (rest := began + tick * PERIOD - time.perf_counter()) > 0:
            time.sleep(rest)


def look(arms: Table[Joint]) -> None:
    """Read all joints at once, some times: one array, in the order of the keys."""
    joints = np.zeros(len(arms), Joint.layout.dtype)
    print("".join(f"{key:>16}" for key in arms.keys))
    for _ in range(5):
        arms.read(..., out=joints)
        ages = (np.datetime64(time.time_ns(), "ns") - arms.times(...)) / np.timedelta64(1, "ms")
        print("".join(f"{angle:16.3f}" for angle in joints["angle"]), f"   oldest: {max(ages):.1f} ms", flush=True)
        time.sleep(0.1)
    # sin² + cos² is 1 in every row, or its numbers would be of two versions
    assert np.allclose(joints["angle"] ** 2 + joints["velocity"] ** 2, 1)


def follow(arms: Table[Joint]) -> None:
    """Count the changes of each joint for a second."""
    seen: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + 1
    for key, joint in arms.follow(timeout=PATIENCE):
        assert abs(joint.angle**2 + joint.velocity**2 - 1) < 1e-9
        seen[key] += 1
        if time.monotonic() > end and len(seen) == len(arms):
            break
    print("seen in a second:", ", ".join(f"{key} {seen[key]}" for key in arms.keys), flush=True)


def main() -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with typedshm.create("arms", rows(Joint, keys=JOINTS)) as arms:
        controllers = [context.Process(target=control, args=(arms, key, stop)) for key in JOINTS]
        for controller in controllers:
            controller.start()
        while not arms.versions(...).all():  # not all have written yet
            arms.wait(timeout=PATIENCE)
        look(arms)
        follow(arms)

        controllers[0].kill()
        controllers[0].join()
        print(f"The controller of the {JOINTS[0]} was killed; its last angle: {arms[JOINTS[0]].angle:.3f}", flush=True)
        stop.set()
        for controller in controllers:
            controller.join()


if __name__ == "__main__":
    main()
