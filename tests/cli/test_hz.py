"""``typedshm hz``: how often a region is written."""

import re

import numpy as np

import typedshm as ts
from helpers.terminal import typedshm


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
