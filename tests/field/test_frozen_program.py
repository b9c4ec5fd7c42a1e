"""Programs that PyInstaller makes find the layout documents and the C header, and share regions as others do."""

import importlib.metadata
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import typedshm
from helpers import marks, peers
from typedshm.export import include
from typedshm.layout import shipped
from typedshm.packaging import pyinstaller

PROGRAM = """
import asyncio
import dataclasses
import multiprocessing
import os
import pickle
from enum import IntEnum
from typing import Annotated

import pydantic

import typedshm
from typedshm import Scalar, Struct, Utf8, u64


class Gear(IntEnum):
    N = 0
    FIRST = 1


class Count(Struct):
    n: u64
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST


class Model(pydantic.BaseModel):
    n: u64
    name: Annotated[str, Utf8(8)] = "m"


@dataclasses.dataclass
class Record:
    n: u64


def work(region):
    with region.update() as block:
        block.n += 1
    return region.read()


async def following(region):
    task = asyncio.ensure_future(region.next(timeout=30))
    await asyncio.sleep(0)
    region.write(Count(n=region.read().n + 1))
    return await task


def main():
    print(typedshm.load("camera-frame").__name__, sorted(os.listdir(typedshm.get_include())))
    with typedshm.create("count", Count) as count, typedshm.create("model", Model) as model:
        count.write(Count(n=0))
        model.write(Model(n=1))
        with typedshm.create("record", Record) as record, multiprocessing.get_context("spawn").Pool(1) as pool:
            record.write(Record(n=0))
            found = pool.map(work, [count, model, record])
            pool.close()
            pool.join()
        assert [type(value).__name__ for value in found] == ["Count", "Model", "Record"], found
        assert type(found[0]) is Count and type(found[2]) is Record
        print(asyncio.run(following(count)), model.read())
        print(typedshm.attach("count").read())
        print(Count.model()(n=7).model_dump_json(), pickle.loads(pickle.dumps(count.read())).n)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
"""


def run(program: Path | str, *arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20 * peers.PATIENCE,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@marks.long
def test_a_program_of_pyinstaller_does_what_the_script_does(tmp_path: Path):
    pytest.importorskip("PyInstaller")
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    expected = run(sys.executable, str(script), folder=tmp_path)
    assert "CameraFrame ['typedshm.h']" in expected
    run(sys.executable, "-m", "PyInstaller", "--onedir", "--log-level", "ERROR", str(script), folder=tmp_path)
    frozen = tmp_path / "dist" / "program" / ("program.exe" if marks.WINDOWS else "program")
    assert run(frozen, folder=tmp_path) == expected


def test_pyinstaller_finds_the_hook():
    points = importlib.metadata.entry_points(group="pyinstaller40")
    entries = [point for point in points if point.value.startswith("typedshm.")]
    if not entries:
        pytest.skip("this build stands in a folder, without the package's metadata")
    (entry,) = entries
    assert entry.name == "hook-dirs"
    folders = entry.load()()
    assert [os.path.isfile(os.path.join(folder, "hook-typedshm.py")) for folder in folders] == [True]


@pytest.mark.filterwarnings("ignore")
def test_the_hook_collects_documents_and_header():
    pytest.importorskip("PyInstaller")
    (folder,) = pyinstaller.hook_folders()
    collected = runpy.run_path(os.path.join(folder, "hook-typedshm.py"))["datas"]
    found = {(os.path.basename(target), os.path.basename(source)) for source, target in collected}
    assert ("include", "typedshm.h") in found
    assert ("schemas", "camera-frame.json") in found
    assert {folder for folder, _ in found} == {"include", "schemas"}


def test_a_program_without_the_data_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = str(tmp_path / "app" / "typedshm" / "layout" / "shipped.py")
    monkeypatch.setattr(shipped, "__file__", file)
    monkeypatch.setattr(include, "__file__", file)
    with pytest.raises(typedshm.DocumentError, match="schemas is missing: include the data of the package typedshm"):
        typedshm.load("camera-frame")
    with pytest.raises(FileNotFoundError, match="include is missing: include the data of the package typedshm"):
        typedshm.get_include()
