"""A pool of processes that all need one big table: share it once, and give each task the region.

    python examples/worker_pool.py

A Region pickles as a handle of some hundred bytes, in the place of the table's hundred million. (joblib helps itself
where it is given an array: it writes that to a file, once, which the others map.)
"""

import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

import typedshm

try:
    import joblib
except ImportError:
    joblib = None

ROWS, COLUMNS, PARTS = 1_000_000, 16, 8

Table = NDArray[np.float64]


def part_of_region(table: typedshm.Region[Table], part: int) -> float:
    """Return the sum of one part of the table, which stays where it is."""
    with table.borrow() as rows:
        return part_of_array(rows, part)


def part_of_array(table: Table, part: int) -> float:
    """Return the sum of one part of the table."""
    rows = len(table) // PARTS
    return float(table[part * rows : (part + 1) * rows].sum())


def timed(what: str, expected: float, work: Callable[[], Iterable[float]]) -> None:
    """Do the work, check what comes of it, and say how long it took."""
    began = time.perf_counter()
    total = sum(work())
    seconds = time.perf_counter() - began
    assert np.isclose(total, expected)
    print(f"{what:<40}{seconds:6.2f} s, sum {total:.0f}", flush=True)


def main() -> None:
    array = np.random.default_rng(1).random((ROWS, COLUMNS))
    expected = float(array.sum())
    with typedshm.share("table", array) as region:
        print(f"the table has {array.nbytes:,} bytes, its handle {len(pickle.dumps(region))}", flush=True)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=spawn) as pool:
            list(pool.map(abs, range(4)))  # so that the start of the processes is not measured

            def pooled(function: Callable[[Any, int], float], table: Any) -> Iterable[float]:
                return pool.map(function, [table] * PARTS, range(PARTS))

            timed("concurrent.futures, region as argument", expected, lambda: pooled(part_of_region, region))
            timed("concurrent.futures, array as argument", expected, lambda: pooled(part_of_array, array))

        if joblib is None:
            print("joblib is not installed")
            return
        with joblib.Parallel(n_jobs=2) as parallel:
            parallel(joblib.delayed(abs)(number) for number in range(4))

            def parts(function: Callable[[Any, int], float], table: Any) -> Iterable[float]:
                return parallel(joblib.delayed(function)(table, part) for part in range(PARTS))

            timed("joblib, region as argument", expected, lambda: parts(part_of_region, region))
            timed("joblib, array as argument", expected, lambda: parts(part_of_array, array))


if __name__ == "__main__":
    main()
