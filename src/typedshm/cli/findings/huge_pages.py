"""Huge pages: whether regions can have them."""

import os
import re
import sys
from collections.abc import Iterator, Sequence

import numpy as np

import typedshm
from typedshm.cli.amounts import size_of
from typedshm.cli.findings.finding import Finding, Level, counted, text_of
from typedshm.cli.findings.room import mount_of

KIND = "huge pages"

_SETTING = "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
_LARGE = 4 * 2**20
"""Bytes that fill a large page of any machine with Windows."""
_MATTERS = "It matters for huge_pages=True only, which makes copies of large values faster."


def huge_pages() -> Iterator[Finding]:
    """Look at the settings of huge pages."""
    if sys.platform == "win32":
        yield from check_large(_large_pages())
    if sys.platform != "linux":
        return
    mounts = text_of("/proc/self/mounts")
    folder = str(typedshm.path_of("x").parent)
    yield from check_transparent(text_of(_SETTING), folder, mount_of(folder, mounts)[1])
    yield from check_reserved(text_of("/proc/meminfo"), mounts)


def check_large(problem: str) -> Iterator[Finding]:
    """Judge Windows' large pages by what a region of such has said; empty if it was made."""
    if not problem:
        yield Finding(Level.OK, KIND, "named regions can have huge pages, which Windows calls large pages")
        return
    reason, _, remedy = problem.partition(": ")[2].partition(". ")
    yield Finding(Level.NOTE, KIND, f"regions get no huge pages: {reason}", _MATTERS, remedy)


def _large_pages() -> str:
    """Make a region that fills a large page; returns why that is refused."""
    try:
        schema = typedshm.array(np.uint8, _LARGE)
        with typedshm.create(f"typedshm-doctor-{os.getpid()}", schema, slots=1, huge_pages=True):
            return ""
    except (typedshm.RegionRefused, typedshm.RegionFull) as error:
        return error.strerror or str(error)


def check_transparent(enabled: str, folder: str, options: Sequence[str]) -> Iterator[Finding]:
    """Judge the huge pages of named regions.

    Parameters
    ----------
    enabled
        What ``shmem_enabled`` says: ``always within_size advise [never] deny force``; empty if there is no such file.
    folder, options
        Of named regions, and how its file system is mounted.
    """
    mounted = next((option.removeprefix("huge=") for option in options if option.startswith("huge=")), "never")
    chosen = "".join(re.findall(r"\[(\w+)\]", enabled))
    if not enabled:
        yield Finding(Level.NOTE, KIND, "this kernel has no transparent huge pages for shared memory", _MATTERS)
    elif chosen == "deny":
        yield Finding(
            Level.NOTE, KIND, "shared memory gets no huge pages", _MATTERS, f"echo never > {_SETTING} (as root)"
        )
    elif chosen == "force":
        yield Finding(Level.OK, KIND, "all shared memory gets huge pages")
    elif mounted == "never":
        yield Finding(
            Level.NOTE,
            KIND,
            f"regions in {folder} get no huge pages: it is mounted with huge=never",
            _MATTERS,
            f"mount -o remount,huge=advise {folder} (as root)",
        )
    else:
        yield Finding(Level.OK, KIND, f"regions in {folder} can have huge pages (huge={mounted})")


def check_reserved(meminfo: str, mounts: str) -> Iterator[Finding]:
    """Judge the pages that are set aside for hugetlbfs, by ``/proc/meminfo`` and ``/proc/self/mounts``."""
    numbers = {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+)", meminfo, re.MULTILINE)}
    total, free = numbers.get("HugePages_Total", 0), numbers.get("HugePages_Free", 0)
    points = [line.split()[1] for line in mounts.splitlines() if line.split()[2] == "hugetlbfs"]
    if not points or not total:
        return
    size = size_of(numbers.get("Hugepagesize", 0) * 1024)
    what = f"{points[0]} has {free:,} of {counted(total, 'page')} of {size} free"
    if free:
        yield Finding(Level.OK, KIND, f"{what}, for regions in files there")
    else:
        yield Finding(
            Level.NOTE,
            KIND,
            what,
            "A region in a file there is refused (RegionFull).",
            f"sysctl -w vm.nr_hugepages={2 * total} (as root)",
        )
