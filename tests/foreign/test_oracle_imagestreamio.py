"""ImageStreamIO's files of adaptive optics, as xaosim writes them: it has the older head, of 336 bytes."""

import importlib.metadata
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers.programs import report
from typedshm import foreign

shmlib = pytest.importorskip("xaosim.shmlib", reason="xaosim is not installed", exc_type=ImportError)


HEAD = typedshm.load("imagestreamio", abi="xaosim")
KEYS = {
    "naxis": "axes", "nel": "elements", "atype": "data_type", "imtype": "image_type", "shared": "shared",
    "loc": "location", "status": "status", "flag": "flag", "logflag": "log_flag", "sem": "semaphores", "cnt0": "cnt0",
    "cnt1": "cnt1", "cnt2": "cnt2", "write": "write", "nbkw": "keywords", "bcudamem": "cuda_handle",
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64, np.complex64])
def test_a_picture_that_xaosim_writes_is_read(tmp_path: Path, dtype: Any) -> None:
    dice = random.Random(repr(dtype))
    shape = tuple(dice.randrange(1, 9) for _ in range(dice.choice([2, 3])))
    pictures = [np.frombuffer(dice.randbytes(np.dtype(dtype).itemsize * int(np.prod(shape))), dtype) for _ in range(3)]
    path = tmp_path / "camera.im.shm"
    theirs = shmlib.shm(str(path), data=pictures[0].reshape(shape))
    try:
        assert HEAD.layout.size == theirs.im_offset == 336
        assert {field.name: field.offset for field in HEAD.layout.fields}["cnt0"] == theirs.c0_offset == 240
        for number, picture in enumerate(pictures, 1):
            if number > 1:
                theirs.set_data(picture)
            head, pixels = read(path)
            assert type(head).layout == HEAD.layout
            theirs.read_meta_data(verbose=False)
            assert {key: theirs.mtdata[key] for key in KEYS} == {key: getattr(head, KEYS[key]) for key in KEYS}
            assert (head.version, head.name) == (theirs.mtdata["version"], theirs.mtdata["imname"])
            assert head.cnt0 == number
            assert head.size.tolist() == [*shape[::-1], *[0] * (3 - len(shape))]
            assert pixels == picture.tobytes()
    finally:
        theirs.close()
    report("xaosim", importlib.metadata.version("xaosim"), "it writes an older head of 336 bytes", kind="oracle")


def read(path: Path) -> tuple[Any, bytes]:
    with foreign.attach(path, "imagestreamio") as region:
        head = region.read()
    size = np.dtype(shmlib.all_dtypes[head.data_type - 1]).itemsize
    return head, path.read_bytes()[HEAD.layout.size :][: head.elements * size]
