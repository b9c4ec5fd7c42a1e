"""No verb of a table imports anything: a child of a fork would wait for ever for what another thread was importing."""

from helpers.peers import run_script

SCRIPT = """
import sys
import numpy as np
import typedshm
from typedshm import Struct, f64, rows

class Cell(Struct):
    celsius: f64 = 0.0

typedshm.RawSection, typedshm.Table, typedshm.Region  # what is loaded when it is asked for
with typedshm.create("cells", rows(Cell, 8)) as cells:
    there = {*sys.modules}
    cells[2] = Cell()
    cells[[3, 4]] = [Cell(), Cell()]
    cells.write(np.arange(8) > 3, {"celsius": np.ones(4)})
    cells.read([2, 3, -1]), cells.read(..., missing="zero"), cells[2], cells.versions(...), cells.times(...)
    follower = cells.follow(start="newest", timeout=5)
    next(follower)
    cells.append(Cell()), cells.append_many([Cell(), Cell()])
    follower.poll()
    with cells.lock([5, 3, 5]), cells.update(7) as cell:
        cell.celsius += 1
    cells.wait([7, 2], after=0), cells.lock_holders(), cells.filled
    print(sorted({*sys.modules} - there))
"""


def test_verbs_of_a_table_import_nothing() -> None:
    done = run_script(SCRIPT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
