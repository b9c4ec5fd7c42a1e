"""Memory that its publisher makes larger while it is attached, as Prometheus' client does with a file that is full."""

import os
from pathlib import Path

from typedshm import Struct, foreign, u32
from typedshm.foreign import State


class Head(Struct):
    used: u32


def test_a_file_that_grew_is_seen_whole_and_is_no_restart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(Head(used=8)).ljust(4096, b"\0"))
    with foreign.attach(file, Head) as region:
        assert region.read() == Head(used=8)
        os.truncate(file, 8192)
        assert region.read() == Head(used=8)
        assert region.info().size == 8192
        assert region.info().restarts == 0
        assert region.state is State.LIVE
