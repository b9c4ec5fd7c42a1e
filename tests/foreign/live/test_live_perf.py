"""A page that the kernel writes: perf_event's, reached by a descriptor."""

import mmap
import platform
import struct

from helpers import perf_counter
from helpers.programs import report


def test_the_kernels_page_lies_between_two_reads_of_the_counter() -> None:
    with perf_counter.task_clock() as counter:
        page = mmap.mmap(counter.fd, mmap.PAGESIZE, prot=mmap.PROT_READ)
        sequences = set()
        for _ in range(3):
            before = counter.read()
            counter.on()
            lock, index, offset, enabled, running = struct.unpack_from("<8xIIqQQ", page)
            counter.off()
            after = counter.read()
            assert lock % 2 == 0
            sequences.add(lock)
            assert index == 0
            for low, found, high in zip(before, (offset, enabled, running), after, strict=True):
                assert low <= found <= high
        assert len(sequences) == 3
        page.close()
    report("Linux", platform.release(), "perf_event's page lies between two reads of its counter")
