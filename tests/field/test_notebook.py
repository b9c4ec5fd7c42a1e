"""A notebook: classes declared in its cells are written, read, declared again, and sent to other processes."""

import os
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

# what a spawned process can import, unlike the notebook's own functions
WORKERS = """
def bump(region):
    with region.update() as block:
        block.n += 1
    return region.read()

def same(value):
    return type(value).__name__, value
"""

DECLARATION = """
import dataclasses
from enum import IntEnum
from typing import Annotated
import typedshm
from typedshm import Scalar, Struct, f64, u64

class Gear(IntEnum):
    N = 0
    FIRST = 1

class Tel(Struct):
    n: u64
    gear: Annotated[Gear, Scalar("u1")] = Gear.FIRST

    def doubled(self):
        return self.n * 2

@dataclasses.dataclass
class Record:
    n: u64
"""

OPENING = """
region = typedshm.create("notebook", Tel)
region.write(Tel(n=1))
records = typedshm.create("records", Record)
records.write(Record(n=1))
"""

LAST_CELL = "region.close(); records.close()"


def outputs(*cells: str, tmp_path: Path) -> list[str]:
    """Run the cells in a fresh kernel, and return the text of each one's last output."""
    (tmp_path / "workers.py").write_text(WORKERS)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in (*cells, LAST_CELL)]
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute(cwd=str(tmp_path), env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])})
    return [_text(cell) for cell in notebook.cells[:-1]]


def _text(cell: object) -> str:
    found = ""
    for output in cell["outputs"]:  # type: ignore[index]
        found = output.get("text") or output.get("data", {}).get("text/plain", "")
    return str(found).strip()


pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


def test_a_cell_that_runs_again_declares_the_same_class(tmp_path: Path):
    *_, read, old, into = outputs(
        DECLARATION,
        OPENING + "kept = region.read()",
        DECLARATION,  # again
        "region.write(Tel(n=2)); records.write(Record(n=2)); print(region.read(), records.read())",
        "region.write(kept); print(region.read().n)",
        "target = Tel.zero(); region.read_into(target); print(target.n, target.doubled(), typedshm.version_of(target))",
        tmp_path=tmp_path,
    )
    assert read == "Tel(n=2, gear=<Gear.FIRST: 1>) Record(n=2)"
    assert old == "1"
    assert into == "1 2 3"


def test_a_class_that_has_changed_is_refused_with_the_difference(tmp_path: Path):
    *_, refused, anew = outputs(
        DECLARATION,
        OPENING,
        DECLARATION.replace("n: u64", "n: f64"),
        "try:\n    region.write(Tel(n=2.0))\nexcept TypeError as error:\n    print(error)",
        "region.close(); region = typedshm.create('notebook', Tel); region.write(Tel(n=2.5)); print(region.read().n)",
        tmp_path=tmp_path,
    )
    assert "found a Tel of another declaration" in refused
    assert "n: u64 at 0 | f64 at 0" in refused
    assert anew == "2.5"


def test_a_failed_share_leaves_the_name_to_the_next_cell(tmp_path: Path):
    *_, shared = outputs(
        DECLARATION + OPENING,
        "import numpy as np\ntry:\n    typedshm.share('lut', [1.0])\nexcept TypeError as error:\n    kept = error",
        "with typedshm.share('lut', np.arange(2)) as lut: print(lut.read())",
        tmp_path=tmp_path,
    )
    assert shared == "[0 1]"


def test_regions_and_values_go_to_spawned_processes(tmp_path: Path):
    *_, spawned, futures, after = outputs(
        DECLARATION + OPENING,
        "import multiprocessing, workers\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    found = pool.map(workers.bump, [region, region, records])\n"
        "    names = pool.map(workers.same, [region.read()])\n"
        "    pool.close(); pool.join()\n"
        "print([value.n for value in found], type(found[0]) is Tel, found[0].doubled(), names[0][0], "
        "type(names[0][1]) is Tel)",
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "    value = pool.submit(workers.bump, region).result()\n"
        "print(type(value) is Tel, value.gear is Gear.FIRST)",
        "print(region.read().n, records.read().n)",
        tmp_path=tmp_path,
    )
    assert spawned == "[2, 3, 2] True 4 Tel True"
    assert futures == "True True"
    assert after == "4 2"


def test_regions_and_functions_of_the_notebook_go_to_joblib(tmp_path: Path):
    pytest.importorskip("joblib")
    *_, found, after, _ = outputs(
        DECLARATION + OPENING,
        "import joblib\n"
        "def work(region, records):\n"
        "    with region.update() as block:\n"
        "        block.n += 1\n"
        "    return region.read(), records.read(), Tel(n=5).doubled()\n",
        "values = joblib.Parallel(n_jobs=2)(joblib.delayed(work)(region, records) for _ in range(4))\n"
        "print({type(value) is Tel for value, *_ in values}, {type(record) is Record for _, record, _ in values}, "
        "{doubled for *_, doubled in values})",
        "print(region.read().n)",
        "from joblib.externals.loky import get_reusable_executor\nget_reusable_executor().shutdown(wait=True)",
        tmp_path=tmp_path,
    )
    assert found == "{True} {True} {10}"
    assert after == "5"


def test_a_struct_is_shown_as_a_table(tmp_path: Path):
    (tmp_path / "workers.py").write_text(WORKERS)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(DECLARATION), nbformat.v4.new_code_cell("Tel(n=3)")]
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[1]["outputs"]
    assert output["data"]["text/plain"] == "Tel(n=3, gear=<Gear.FIRST: 1>)"
    assert output["data"]["text/html"].startswith("<table>")
