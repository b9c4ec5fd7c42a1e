"""Values and regions whose classes stand in the script reach other processes: by joblib, cloudpickle, dill, pickle."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import peers

DECLARATIONS = '''
import dataclasses, os, pickle, subprocess, sys, json
from enum import IntEnum
from typing import Annotated, ClassVar
import numpy as np
import pydantic
from numpy.typing import NDArray
import typedshm
from typedshm import Offset, Scalar, Shape, Struct, Unit, Utf8, array, f64, to_struct, u8, u64

class Gear(IntEnum):
    N = 0
    FIRST = 1

class Point(Struct):
    x: f64
    y: f64 = 2.0

    def doubled(self):
        return self.x * 2

class Tick(Struct):
    """Counts."""
    tick: u64

class Car(Tick):
    WHEELS: ClassVar[int] = 4
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST
    at: Point = Point(x=1.0)
    path: Annotated[NDArray[np.void], Shape(2, of=Point)]
    name: Annotated[str, Utf8(16)] = "car"
    Upper: Annotated[f64, Unit("m/s")] = 0.5

    @classmethod
    def made(cls):
        return cls(tick=1, path=np.ones(2, Point.layout.dtype))

    def doubled(self):
        return self.tick * 2 + self.WHEELS

class Derived(Car):
    pass

class Padded(Struct):
    a: u8
    b: Annotated[f64, Offset(32)]

class Limited(Struct):
    level: Annotated[u8, pydantic.Field(le=10)] = 3

@dataclasses.dataclass
class Position:
    x: f64
    y: f64 = 3.0

@dataclasses.dataclass
class Record:
    n: u64
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST
    at: Position = dataclasses.field(default_factory=lambda: Position(1.0))

    def doubled(self):
        return self.n * 2

class Model(pydantic.BaseModel):
    n: u64
    name: Annotated[str, Utf8(8)] = "m"

    def doubled(self):
        return self.n * 2

@pydantic.dataclasses.dataclass
class Checked:
    n: u64

def local():
    class Local(Struct):
        n: u64

        def doubled(self):
            return self.n * 2

    @dataclasses.dataclass
    class LocalRecord:
        n: u64 = 3

    return Local, LocalRecord

Local, LocalRecord = local()
VALUES = [
    Point(x=1.0), Tick(tick=3), Car.made(), Derived.made(), Padded(a=1, b=2.0), Limited(),
    Record(n=1), Model(n=2), Checked(n=2),
    Local(n=3), LocalRecord(),
]
'''

PACKERS = """
def packer(kind):
    if kind == "pickle":
        return pickle.dumps, pickle.loads
    if kind == "cloudpickle":
        import cloudpickle
        return cloudpickle.dumps, pickle.loads
    import dill
    options = {"dill": {}, "dill by reference": {"byref": True}, "dill recursively": {"recurse": True}}[kind]
    return lambda value: dill.dumps(value, **options), dill.loads
"""

SENDER = (
    DECLARATIONS
    + PACKERS
    + """
kind, receiver, folder = sys.argv[1:]
dumps, loads = packer(kind)
regions = []
for value in VALUES:
    name = type(value).__name__
    region = typedshm.create(name, type(value))
    region.write(value)
    regions.append(region)
    packed = {"region": region, "struct": to_struct(value)}
    if isinstance(value, Struct):
        packed["class"] = type(value)
    for what, item in packed.items():
        data = dumps(item)
        with open(os.path.join(folder, f"{name}.{what}"), "wb") as file:
            file.write(data)
        back = loads(data)  # in the same process it is of the same class
        if what == "class":
            assert back is item, name
        elif what == "struct":
            assert type(back) is type(item) and back == item, name
        else:
            with back:
                assert type(back.read()) is type(value), name
found = subprocess.run([sys.executable, receiver, kind, folder], capture_output=True, text=True)
print(found.stdout, found.stderr)
for region in regions:
    region.close()
"""
)

RECEIVER = (
    "import json, os, pickle, sys\nimport typedshm\n"
    + PACKERS
    + """
_, loads = packer(sys.argv[1])
folder = sys.argv[2]
found = {}
for file in sorted(os.listdir(folder)):
    name, what = file.split(".")
    with open(os.path.join(folder, file), "rb") as opened:
        data = opened.read()
    first, second = loads(data), loads(data)
    entry = found.setdefault(name, {})
    if what == "class":
        entry[what] = first is second and issubclass(first, typedshm.Struct)
    elif what == "struct":
        entry[what] = type(first) is type(second) and first == second
    else:
        with first, second:
            value = first.read()
            assert type(value) is type(second.read())
            with first.update() as block:
                label = first.layout.fields[0].name
                setattr(block, label, getattr(block, label) + 1)
            assert getattr(second.read(), label) == getattr(value, label) + 1
            first.write(value)
            entry[what] = second.read() == value
            entry["kind"] = "Struct" if isinstance(value, typedshm.Struct) else "own"
            entry["methods"] = value.doubled() if hasattr(value, "doubled") else None
            entry["shown"] = repr(value)
print(json.dumps(found))
"""
)


def received(kind: str, tmp_path: Path) -> dict[str, dict[str, object]]:
    """What a fresh process makes of what a script has sent it."""
    packed = tmp_path / "packed"
    packed.mkdir()
    (tmp_path / "sender.py").write_text(SENDER)
    (tmp_path / "receiver.py").write_text(RECEIVER)
    command = [sys.executable, "-W", "error::RuntimeWarning", str(tmp_path / "sender.py"), kind]
    done = subprocess.run(
        [*command, str(tmp_path / "receiver.py"), str(packed)],
        capture_output=True,
        text=True,
        timeout=peers.PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    try:
        found: dict[str, dict[str, object]] = json.loads(done.stdout)
    except ValueError:
        pytest.fail(done.stdout + done.stderr)
    return found


def check(found: dict[str, dict[str, object]]) -> None:
    structs = {"Point", "Tick", "Car", "Derived", "Padded", "Limited", "Local"}
    assert found.keys() == structs | {"Record", "Model", "Checked", "LocalRecord"}
    for name, entry in found.items():
        assert entry["region"], name
        assert entry["struct"], name
        assert entry.get("class", True), name
        assert str(entry["shown"]).removeprefix("local.<locals>.").startswith((name, "n=")), name
    assert "gear=<Gear.FIRST: 1>" in str(found["Car"]["shown"])
    assert "Upper=0.5" in str(found["Derived"]["shown"])


def test_cloudpickle_carries_classes_of_the_script_with_their_methods(tmp_path: Path):
    pytest.importorskip("cloudpickle")
    found = received("cloudpickle", tmp_path)
    check(found)
    assert {name for name, entry in found.items() if entry["kind"] == "own"} == {
        "Record",
        "Model",
        "Checked",
        "LocalRecord",
    }
    methods = {name: entry["methods"] for name, entry in found.items() if entry["methods"] is not None}
    assert methods == {"Point": 2.0, "Car": 6, "Derived": 6, "Record": 2, "Model": 4, "Local": 6}


@pytest.mark.parametrize("kind", ["dill", "dill by reference", "dill recursively"])
def test_dill_carries_classes_of_the_script(kind: str, tmp_path: Path):
    dill = pytest.importorskip("dill")
    found = received(kind, tmp_path)
    check(found)
    try:
        dill.dumps(lambda: None)
    except Exception:
        return  # it does not know this Python's functions yet, so nothing goes by value
    if kind != "dill by reference":  # without enums of the script, which dill cannot carry
        assert found["Point"]["methods"] == 2.0
        assert found["Local"]["methods"] == 6
        assert found["LocalRecord"]["kind"] == "own"


def test_pickle_describes_classes_that_the_other_process_cannot_import(tmp_path: Path):
    found = received("pickle", tmp_path)
    check(found)
    assert {entry["kind"] for entry in found.values()} == {"Struct"}


SCRIPT = (
    DECLARATIONS
    + """
import joblib

def work(region, value):
    with region.update() as block:
        block.tick += 1
    return type(region.read()).__name__, region.read(), Car.made(), value.doubled()

def work_on_records(region, value):
    with region.update() as block:
        block.n += 1
    return type(region.read()).__name__, region.read(), value.doubled()

if __name__ == "__main__":
    with typedshm.create("car", Car) as car, typedshm.create("record", Record) as record:
        car.write(Car.made())
        record.write(Record(n=1))
        with joblib.Parallel(n_jobs=2) as pool:
            for name, value, other, doubled in pool(joblib.delayed(work)(car, Car.made()) for _ in range(4)):
                assert name == "Car" and doubled == 6
                assert type(value) is Car and type(other) is Car and other == Car.made(), type(value)
                assert value.doubled() == 2 * value.tick + 4
                assert type(value.gear) is Gear
            for name, value, doubled in pool(joblib.delayed(work_on_records)(record, Record(n=2)) for _ in range(4)):
                assert name == "Record" and doubled == 4
                assert isinstance(value, Record), type(value)
            pool(joblib.delayed(Car.made)() for _ in range(2))
        assert car.read().tick == 5
        assert record.read().n == 5
    from joblib.externals.loky import get_reusable_executor
    get_reusable_executor().shutdown(wait=True)
    print("done")
"""
)


def run(script: str, tmp_path: Path, **environment: str) -> str:
    file = tmp_path / "script.py"
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        timeout=peers.PATIENCE,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_joblib_gets_regions_of_the_script_and_gives_back_values_of_its_classes(tmp_path: Path):
    pytest.importorskip("joblib")
    assert run(SCRIPT, tmp_path) == "done"


SPAWNING = """
import concurrent.futures, dataclasses, multiprocessing
import typedshm
from typedshm import Struct, u64

class Count(Struct):
    n: u64

    def doubled(self):
        return self.n * 2

@dataclasses.dataclass
class Record:
    n: u64

def work(region):
    with region.update() as block:
        block.n += 1
    return region.read()

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    with typedshm.create("count", Count) as count, typedshm.create("record", Record) as record:
        count.write(Count(n=0))
        record.write(Record(n=0))
        with context.Pool(1) as pool:
            assert all(type(value) is Count and value.doubled() for value in pool.map(work, [count] * 2))
            assert all(type(value) is Record for value in pool.map(work, [record] * 2))
            pool.close()
            pool.join()
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            assert type(pool.submit(work, count).result()) is Count
        print(count.read().n, record.read().n)
"""


@pytest.mark.parametrize("method", peers.START_METHODS)
def test_multiprocessing_gives_back_values_of_the_scripts_classes(method: str, tmp_path: Path):
    assert run(SPAWNING.replace("{method!r}", repr(method)), tmp_path) == "3 2"


MODULE = """
import dataclasses
from typedshm import Struct, u64

class Count(Struct):
    n: u64

    def doubled(self):
        return self.n * 2

@dataclasses.dataclass
class Record:
    n: u64
"""

IMPORTER = """
import base64, os, pickle, subprocess, sys
import typedshm, {packer}
sys.path.insert(0, {folder!r})
import only_here

READ = '''
import base64, pickle, sys
import typedshm
count, value, record, struct = pickle.loads(base64.b64decode(sys.argv[1]))
with count, record:
    assert type(count.read()) is type(value), (type(count.read()), type(value))
    assert count.read() == value
    print(count.read(), record.read(), struct, type(struct).__module__)
'''
with typedshm.create("count", only_here.Count) as count, typedshm.create("record", only_here.Record) as record:
    count.write(only_here.Count(n=1))
    record.write(only_here.Record(n=2))
    things = count, count.read(), record, typedshm.to_struct(record.read())
    back = pickle.loads({packer}.dumps(things))
    with back[0], back[2]:
        assert type(back[0].read()) is only_here.Count
        assert type(back[2].read()) is only_here.Record
    packed = base64.b64encode({packer}.dumps(things)).decode()
    subprocess.run([sys.executable, "-c", READ, packed], check=True)
"""


@pytest.mark.parametrize("packer", ["pickle", "cloudpickle", "dill"])
def test_classes_of_a_module_that_cannot_be_imported_there_come_by_their_documents(packer: str, tmp_path: Path):
    pytest.importorskip(packer)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "only_here.py").write_text(MODULE)
    script = IMPORTER.replace("{packer}", packer).replace("{folder!r}", repr(str(tmp_path / "modules")))
    assert run(script, tmp_path) == "Count(n=1) Record(n=2) Record(n=2) only_here"


def test_one_pickle_of_many_values_has_the_document_once():
    script = (
        "import pickle, typedshm\nfrom typedshm import Struct, u64\nclass Count(Struct):\n    n: u64\n"
        "one, many = (len(pickle.dumps([Count(n=1) for _ in range(n)])) for n in (1, 101))\n"
        "assert (many - one) / 100 < 40, (one, many)\n"
        "assert one < 400, one\n"
    )
    done = peers.run_script(script)
    assert done.returncode == 0, done.stderr
