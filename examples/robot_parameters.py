"""Two hundred parameters of a robot, each with a name: a server has them, a client sets some, a watcher follows.

    python examples/robot_parameters.py          all three, as processes
    python examples/robot_parameters.py serve    only the server, until Ctrl-C; then in other terminals:
    python examples/robot_parameters.py watch
    python examples/robot_parameters.py set head.speed 0.5 "slower, for the demonstration"
    python -m typedshm show parameters head.speed          and whatever else the command line knows of tables

A table whose rows have keys. Nobody waits for a parameter that someone else sets, and a client that is killed half-way
leaves the old value. The text of a value has a fixed room; the bytes, such as a calibration, have a capacity, of which
only what is used is copied.
"""

import contextlib
import os
import subprocess
import sys
import time
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

import typedshm
from typedshm import Struct, Table, Topic, UpTo, Utf8, f64, u32

JOINTS = [f"{side}.{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist", "hand")]
VALUES = (
    *("p", "i", "d", "speed", "acceleration", "jerk", "torque", "current", "voltage", "temperature"),
    *("lower", "upper", "offset", "gear", "deadband", "filter", "period", "calibration", "serial", "label"),
)
KEYS = [f"{part}.{value}" for part in (*JOINTS, "head", "base") for value in VALUES]
TIMEOUT = 30


class Parameter(Struct):
    """A value of any kind, and who set it."""

    number: f64 = 0.0
    text: Annotated[str, Utf8(64)] = ""
    data: Annotated[NDArray[np.uint8], UpTo(512)] = ()  # type: ignore[assignment]
    process: u32 = 0


PARAMETERS = Topic("parameters", typedshm.rows(Parameter, keys=KEYS))


def shown(parameter: Parameter) -> str:
    data = f", {len(parameter.data)} bytes" if len(parameter.data) else ""
    return f"{parameter.number:g} {parameter.text!r}{data}"


def serve() -> None:
    """Have the parameters, with defaults, until killed."""
    with PARAMETERS.create() as parameters:
        parameters[:] = Parameter(text="default", process=os.getpid())
        print(f"server: {len(parameters)} parameters", flush=True)
        while True:
            time.sleep(1)


def change(parameters: Table[Parameter], key: str, number: float, text: str) -> None:
    """Set one parameter; the fields that are not mentioned keep what they hold."""
    with parameters.update(key) as parameter:
        parameter.number, parameter.text, parameter.process = number, text, os.getpid()


def client() -> None:
    """Set some parameters."""
    with PARAMETERS.attach(timeout=TIMEOUT) as parameters:
        change(parameters, "head.speed", 0.5, "slower, for the demonstration")
        with parameters.update("left.hand.calibration") as parameter:
            parameter.data = np.frombuffer(b"rows of numbers, " * 18, np.uint8)
            parameter.text = "of Monday"
        gains = [f"{joint}.p" for joint in JOINTS]
        parameters.write(gains, {"number": np.linspace(1.0, 1.7, len(gains)), "text": "tuned"})  # many at once
        try:
            change(parameters, "head.sped", 1.0, "")
        except KeyError as error:
            print(f"client: {error.args[0]}", flush=True)
        change(parameters, "base.label", 0, "done")


def watch() -> None:
    """Tell of each change, from now on; of a parameter that changes twice before its turn, the newest value."""
    with PARAMETERS.attach(timeout=TIMEOUT) as parameters:
        changes = parameters.follow()
        print("watcher: ready", flush=True)
        for key, parameter in changes:
            print(f"watcher: {key} = {shown(parameter)}", flush=True)
            if parameter.text == "done":
                return


def start(role: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, __file__, role], stdout=subprocess.PIPE, text=True)


def main() -> None:
    with start("serve") as server:
        try:
            assert server.stdout is not None
            print(server.stdout.readline(), end="")
            with start("watch") as watcher:
                assert watcher.stdout is not None
                print(watcher.stdout.readline(), end="", flush=True)
                client()
                print("".join(sorted(watcher.stdout)), end="")
        finally:
            server.terminate()
    print(f"Tables left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["set"]:
        with PARAMETERS.attach(timeout=TIMEOUT) as table:
            change(table, sys.argv[2], float(sys.argv[3]), " ".join(sys.argv[4:]))
    else:
        with contextlib.suppress(KeyboardInterrupt):
            {"serve": serve, "watch": watch}.get(sys.argv[-1], main)()
