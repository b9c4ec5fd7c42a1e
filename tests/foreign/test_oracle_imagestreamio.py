"""ImageStreamIO's files of adaptive optics, as xaosim writes them: it has the older head, of 336 bytes."""

import importlib.metadata
import random
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.programs import report
from typedshm import Bytes, Shape, Struct, Utf8, i8, u8, u16, u64

shmlib = pytest.importorskip("xaosim.shmlib", reason="xaosim is not installed", exc_type=ImportError)


class Head(Struct):
    """As xaosim 1.0.11 packs it: natural alignment, 8 bytes."""

    version: Annotated[str, Utf8(32)]
    name: Annotated[str, Utf8(80)]
    axes: u8
    shape: Annotated[NDArray[np.uint32], Shape(3)]
    items: u64
    datatype: u8
    image_type: u64
    times: Annotated[NDArray[np.uint64], Shape(4, 2)]
    shared: u8
    location: i8
    status: u8
    flag: u64
    log_flag: u8
    semaphores: u16
    count0: u64
    count1: u64
    count2: u64
    writing: u8
    keywords: u16
    cuda: Annotated[bytes, Bytes(64)]


KEYS = {
    "naxis": "axes", "nel": "items", "atype": "datatype", "imtype": "image_type", "shared": "shared", "loc": "location",
    "status": "status", "flag": "flag", "logflag": "log_flag", "sem": "semaphores", "cnt0": "count0", "cnt1": "count1",
    "cnt2": "count2", "write": "writing", "nbkw": "keywords", "bcudamem": "cuda",
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64, np.complex64])
def test_a_picture_that_xaosim_writes_is_read(tmp_path: Path, dtype: Any) -> None:
    dice = random.Random(repr(dtype))
    shape = tuple(dice.randrange(1, 9) for _ in range(dice.choice([2, 3])))
    pictures = [np.frombuffer(dice.randbytes(np.dtype(dtype).itemsize * int(np.prod(shape))), dtype) for _ in range(3)]
    path = tmp_path / "camera.im.shm"
    theirs = shmlib.shm(str(path), data=pictures[0].reshape(shape))
    try:
        assert Head.layout.size == theirs.im_offset == 336
        assert {field.name: field.offset for field in Head.layout.fields}["count0"] == theirs.c0_offset == 240
        for number, picture in enumerate(pictures, 1):
            if number > 1:
                theirs.set_data(picture)
            head, pixels = read(path)
            theirs.read_meta_data(verbose=False)
            assert {key: theirs.mtdata[key] for key in KEYS} == {key: getattr(head, KEYS[key]) for key in KEYS}
            assert (head.version, head.name) == (theirs.mtdata["version"], theirs.mtdata["imname"])
            assert head.count0 == number
            assert head.shape.tolist() == [*shape[::-1], *[0] * (3 - len(shape))]
            assert pixels == picture.tobytes()
    finally:
        theirs.close()
    report("xaosim", importlib.metadata.version("xaosim"), "it writes an older head of 336 bytes", kind="oracle")


def read(path: Path) -> tuple[Head, bytes]:
    data = path.read_bytes()
    head = Head.from_buffer_copy(data[: Head.layout.size])
    size = np.dtype(shmlib.all_dtypes[head.datatype - 1]).itemsize
    return head, data[Head.layout.size : Head.layout.size + head.items * size]
