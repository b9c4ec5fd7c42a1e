"""Paging: how the pages of a region's memory are to be had: early, locked, huge."""

import errno
import os
import sys
from collections.abc import Iterable

import typedshm._native as _native
from typedshm.errors import RegionFull, RegionRefused
from typedshm.frozen import Frozen, frozen
from typedshm.memory.names import Location

PREFAULT_LIMIT = 128 * 2**20
"""Bytes up to which a region's pages are mapped when it is opened, unless one says otherwise.

Sooner or later every page that is used has to be paid for, and one by one, when they are first written to, they cost
twice as much. But of a very large region perhaps never all are used, and opening it would take long (measured: 0.4 ms
for each MiB that is made, 0.13 ms for each that exists).
"""


@frozen
class Paging(Frozen):
    """How the pages of a region's memory are to be had.

    Attributes
    ----------
    prefault
        Map every page when the region is opened, so that no first touch has to wait for it; None for up to
        :data:`PREFAULT_LIMIT` bytes.
    locked
        Keep the pages in memory: they are never written to a swap device.
    huge
        Use huge pages in a region that is made.
    """

    __match_args__ = ("prefault", "locked", "huge")
    prefault: bool | None = None
    locked: bool = False
    huge: bool = False

    def joined(self, other: "Paging") -> "Paging":
        """Return what two handles of one mapping ask for together; huge pages are decided when a region is made."""
        degree = (False, None, True).index
        return self.replaced(
            prefault=max(self.prefault, other.prefault, key=degree), locked=self.locked or other.locked
        )

    def apply(self, location: Location, mapping: _native.Mapping, *, fresh: bool) -> None:
        """Bring the pages of a mapping where they are to be; those of a `fresh` region are nobody else's yet.

        Raises
        ------
        RegionRefused
            The system does not allow it; says which setting does.
        RegionFull
            There are no huge pages to be had.
        """
        if self.huge and fresh:
            _use_huge_pages(location, mapping)
        if self.locked:
            try:
                mapping.mlock()  # which maps them, too
            except OSError as error:
                size = len(memoryview(mapping))
                raise RegionRefused(error.errno, f"{location} cannot be locked in memory: {_limit(size)}") from error
        else:
            self.populate(mapping, write=fresh)

    def populate(self, mapping: _native.Mapping, *, write: bool = False) -> None:
        """Map every page of a mapping if that is wanted, for writing too if `write`.

        That would mark all pages of a file as changed, but change nothing. Others may be at work in them.
        """
        wanted = self.prefault
        if wanted is None:
            wanted = len(memoryview(mapping)) <= PREFAULT_LIMIT
        if wanted:
            mapping.populate(write)


if sys.platform == "linux":
    _PAGES = "/sys/kernel/mm/transparent_hugepage/"

    def _read(path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return file.read()

    def _use_huge_pages(location: Location, mapping: _native.Mapping) -> None:
        try:
            smallest = int(_read(_PAGES + "hpage_pmd_size"))
        except OSError as error:
            raise RegionRefused(errno.ENOTSUP, f"{location}: this kernel has no transparent huge pages") from error
        if len(memoryview(mapping)) < smallest:
            return
        try:
            mapping.use_huge_pages()
        except OSError as error:
            if error.errno in (errno.ENOMEM, errno.EAGAIN, errno.EBUSY):
                words = "there are none free just now (writing 1 to /proc/sys/vm/compact_memory may make some)"
                raise RegionFull(error.errno, f"{location} gets no huge pages: {words}") from error
            raise RegionRefused(error.errno, f"{location} gets no huge pages: {_reason(location.folder)}") from error

    def _reason(folder: str) -> str:
        """Say why a file in that folder has none, as far as the system tells."""
        try:
            lines = _read("/proc/self/mounts").splitlines()
            deny = "[deny]" in _read(_PAGES + "shmem_enabled")
        except OSError:
            lines, deny = [], False
        if deny:
            return f"{_PAGES}shmem_enabled is set to deny"
        mount, kind, options = _mount_of(folder, (line.split() for line in lines))
        if kind != "tmpfs":
            return f"{mount} is a file system of the kind {kind}; tmpfs has them, and hugetlbfs without being asked"
        found = next((option for option in options if option.startswith("huge=")), "huge=never")
        if found == "huge=never":
            return (
                f"{mount} is mounted with huge=never. To allow them: mount -o remount,huge=advise {mount} (as root). "
                "A pathlib.Path to a file on a hugetlbfs mount has them without that"
            )
        return f"{mount} allows them ({found}), but the kernel made none; it takes Linux 6.1 or newer"

    def _mount_of(folder: str, mounts: Iterable[list[str]]) -> tuple[str, str, list[str]]:
        """Where the file system of a folder begins, its kind and its options."""
        folder = os.path.realpath(folder)
        found = "/", "unknown", list[str]()
        for _, where, kind, options, *_ in mounts:
            path = where.encode().decode("unicode_escape")  # which has spaces written as \040
            if os.path.commonpath((folder, path)) == path and len(where) >= len(found[0]):
                found = where, kind, options.split(",")
        return found

else:

    def _use_huge_pages(location: Location, mapping: _native.Mapping) -> None:
        del mapping
        words = "this system has none for memory that processes share; leave out huge_pages=True"
        raise RegionRefused(errno.ENOTSUP, f"{location} gets no huge pages: {words}")


if sys.platform == "win32":

    def _limit(size: int) -> str:
        return (
            f"{size:,} bytes are more than this process may keep in its working set. Its user needs the right to "
            "increase a process working set (SeIncreaseWorkingSetPrivilege), and the machine that much free memory"
        )

else:
    import resource

    def _limit(size: int) -> str:
        soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        limit = "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,} bytes for all that it locks"
        words = f"{size:,} bytes are to be locked, and this process has {limit} (RLIMIT_MEMLOCK)"
        if soft == resource.RLIM_INFINITY:
            return f"{words}; the machine lacks the memory"
        if hard == resource.RLIM_INFINITY or size <= hard:
            return f"{words}. resource.setrlimit() or `ulimit -l` can raise it"
        return f"{words}. Root can raise it: memlock in /etc/security/limits.conf, LimitMEMLOCK= of a systemd service"
