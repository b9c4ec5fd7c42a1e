"""``typedshm hz``: how often a region is written."""

import contextlib
import re
import threading
from typing import Any

import numpy as np

import typedshm as ts
from helpers import marks
from helpers.terminal import Pipe, typedshm


def test_a_line_is_printed_for_each_interval() -> None:
    with ts.share("counter", np.zeros(3)):
        done = typedshm("hz", "counter", "--interval", "0.05", "-n", "2")
    assert done.returncode == 0, done.stderr
    assert all(re.fullmatch(r"[\d,]+\.\d Hz", line) for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == 2


def test_a_name_that_is_not_there_exits_with_3() -> None:
    with ts.share("counter", np.zeros(3)):
        done = typedshm("hz", "conter")
    assert done.returncode == 3
    assert "did you mean 'counter'?" in done.stderr


@marks.signals
def test_it_goes_on_with_what_has_the_name() -> None:
    with contextlib.ExitStack() as first:
        first.enter_context(ts.share("counter", np.zeros(3)))
        with Pipe("hz", "counter", "--interval", "0.02") as pipe:
            assert pipe.line() == "0.0 Hz"
            first.close()
            assert pipe.complaint() == "typedshm: counter has no writer any more; waiting until it is back"
            with ts.share("counter", np.zeros(3)):
                assert pipe.complaint() == "typedshm: counter is back"
                ts.unlink("counter")
                with ts.share("counter", np.zeros(4)):
                    assert "going on with what has its name now" in pipe.complaint()
                    pipe.interrupt()
                    assert pipe.end() == 130


def test_a_writer_is_counted() -> None:
    stop = threading.Event()

    def write(region: ts.Region[Any]) -> None:
        while not stop.wait(0.001):
            region.write(np.zeros(3))

    with ts.share("counter", np.zeros(3)) as region:
        writer = threading.Thread(target=write, args=(region,))
        writer.start()
        try:
            done = typedshm("hz", "counter", "--interval", "0.2", "-n", "1")
        finally:
            stop.set()
            writer.join()
    assert float(done.stdout.removesuffix(" Hz\n").replace(",", "")) > 0
