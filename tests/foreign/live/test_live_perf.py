"""A page that the kernel writes: perf_event's, reached by a descriptor."""

import mmap
import platform

from helpers import perf_counter
from helpers.programs import report
from typedshm import foreign


def test_the_kernels_page_lies_between_two_reads_of_the_counter() -> None:
    with (
        perf_counter.task_clock() as counter,
        foreign.attach(foreign.Descriptor(counter.fd, mmap.PAGESIZE), "perf-event") as region,
    ):
        sequences = set()
        for _ in range(3):
            before = counter.read()
            counter.on()
            page = region.read()
            counter.off()
            after = counter.read()
            assert page.lock % 2 == 0
            sequences.add(page.lock)
            assert page.index == 0
            between = (page.offset, page.time_enabled, page.time_running)
            for low, found, high in zip(before, between, after, strict=True):
                assert low <= found <= high
        assert len(sequences) == 3
    report("Linux", platform.release(), "perf_event's page lies between two reads of its counter")
