"""Page options: prefault, mlock, huge pages."""

import errno
import os
import sys
from collections.abc import Iterable

import typedshm._native as _native
from typedshm.arguments import flag
from typedshm.errors import RegionFull, RegionRefused
from typedshm.frozen import Frozen, frozen
from typedshm.memory.names import Location

PREFAULT_LIMIT = 128 * 2**20
"""Bytes up to which a region's pages are mapped when it is opened, unless `prefault` says otherwise.

Every page that is used costs a page fault in the end, and one by one, at the first write, they cost twice as much. But
a very large region may never be used whole, and opening it would take long (measured: 0.4 ms for each MiB of a new
region, 0.13 ms for each of an existing one).
"""


_DEGREES = {False: 0, None: 1, True: 2}
"""How much each value of `prefault` asks for."""


@frozen
class Paging(Frozen):
    """Options for the pages of a region's memory.

    Attributes
    ----------
    prefault
        Map every page when the region is opened, so that no later access causes a page fault; None for up to
        :data:`PREFAULT_LIMIT` bytes.
    locked
        Keep the pages in memory: they are never written to a swap device.
    huge
        Use huge pages if the region is created.
    """

    __match_args__ = ("prefault", "locked", "huge")
    prefault: bool | None = None
    locked: bool = False
    huge: bool = False

    def joined(self, other: "Paging") -> "Paging":
        """Return what two handles of one mapping ask for together; huge pages are decided when a region is made."""
        if _DEGREES[other.prefault] <= _DEGREES[self.prefault] and other.locked <= self.locked:
            return self
        prefault = max(self.prefault, other.prefault, key=_DEGREES.__getitem__)
        return Paging(prefault, self.locked or other.locked, self.huge)

    def apply(self, location: Location, mapping: _native.Mapping, *, fresh: bool) -> None:
        """Apply the options to a mapping; no other process uses the pages of a `fresh` region yet.

        Raises
        ------
        RegionRefused
            The system does not allow it; the message names the setting that would.
        RegionFull
            No huge pages are free.
        """
        if self.huge and fresh:
            _use_huge_pages(location, mapping)
        if self.locked:
            try:
                mapping.mlock()  # maps them too
            except OSError as error:
                size = len(memoryview(mapping))
                raise RegionRefused(error.errno, f"{location} cannot be locked in memory: {_limit(size)}") from error
        else:
            self.populate(mapping, write=fresh)

    def populate(self, mapping: _native.Mapping, *, write: bool = False) -> None:
        """Map every page of a mapping if the options say so, for writing too if `write`.

        No byte changes, so other processes may use the pages meanwhile; `write` marks all pages of a file as dirty.
        """
        wanted = self.prefault
        if wanted is None:
            wanted = len(memoryview(mapping)) <= PREFAULT_LIMIT
        if wanted:
            mapping.populate(write)


def paging_of(prefault: bool | None, lock_memory: bool, huge_pages: bool) -> Paging:
    """Return the options of a call, under the names that users give them.

    Raises
    ------
    TypeError
        One is neither True nor False.
    """
    early = None if prefault is None else flag(prefault, "prefault")
    return Paging(early, flag(lock_memory, "lock_memory"), flag(huge_pages, "huge_pages"))


if sys.platform == "linux":
    _PAGES = "/sys/kernel/mm/transparent_hugepage/"

    def _read(path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return file.read()

    def _use_huge_pages(location: Location, mapping: _native.Mapping) -> None:
        try:
            smallest = int(_read(_PAGES + "hpage_pmd_size"))
        except OSError as error:
            raise RegionRefused(
                errno.ENOTSUP,
                f"{location}: expected transparent huge pages, found a kernel without them; leave out huge_pages=True",
            ) from error
        if len(memoryview(mapping)) < smallest:
            return
        try:
            mapping.use_huge_pages()
        except OSError as error:
            if error.errno in (errno.ENOMEM, errno.EAGAIN, errno.EBUSY):
                words = "none are free; writing 1 to /proc/sys/vm/compact_memory may make some"
                raise RegionFull(error.errno, f"{location} gets no huge pages: {words}") from error
            raise RegionRefused(error.errno, f"{location} gets no huge pages: {_reason(location.folder)}") from error

    def _reason(folder: str) -> str:
        """Explain why a file in that folder has none, as far as the system tells."""
        try:
            lines = _read("/proc/self/mounts").splitlines()
            deny = "[deny]" in _read(_PAGES + "shmem_enabled")
        except OSError:
            lines, deny = [], False
        if deny:
            return f"{_PAGES}shmem_enabled is set to deny"
        mount, kind, options = _mount_of(folder, (line.split() for line in lines))
        if kind != "tmpfs":
            return f"{mount} is a file system of type {kind}; use tmpfs, or hugetlbfs, which always has them"
        found = next((option for option in options if option.startswith("huge=")), "huge=never")
        if found == "huge=never":
            return (
                f"{mount} is mounted with huge=never. To allow them: mount -o remount,huge=advise {mount} (as root). "
                "A pathlib.Path to a file on a hugetlbfs mount always has them"
            )
        return f"{mount} allows them ({found}), but the kernel made none; that requires Linux 6.1 or newer"

    def _mount_of(folder: str, mounts: Iterable[list[str]]) -> tuple[str, str, list[str]]:
        """Return the mount point of a folder's file system, its type and its options."""
        folder = os.path.realpath(folder)
        found = "/", "unknown", list[str]()
        for _, where, kind, options, *_ in mounts:
            path = where.encode().decode("unicode_escape")  # spaces are written as \040
            if os.path.commonpath((folder, path)) == path and len(where) >= len(found[0]):
                found = where, kind, options.split(",")
        return found

elif sys.platform == "win32":

    def _use_huge_pages(location: Location, mapping: _native.Mapping) -> None:
        """Do nothing for a named region, whose section was made of them."""
        del mapping
        if location.persistent:
            raise RegionRefused(
                errno.ENOTSUP, f"{location} gets no huge pages: files have none on Windows; leave out huge_pages=True"
            )

else:

    def _use_huge_pages(location: Location, mapping: _native.Mapping) -> None:
        del mapping
        words = "this system has none for shared memory; leave out huge_pages=True"
        raise RegionRefused(errno.ENOTSUP, f"{location} gets no huge pages: {words}")


if sys.platform == "win32":

    def _limit(size: int) -> str:
        return (
            f"{size:,} bytes are more than this process may keep in its working set. That requires the right to "
            "increase a process working set (SeIncreaseWorkingSetPrivilege) and that much free memory"
        )

else:
    import resource

    def _limit(size: int) -> str:
        soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        limit = "any number" if soft == resource.RLIM_INFINITY else f"{soft:,} bytes in all"
        words = f"the region has {size:,} bytes, and this process may lock {limit} (RLIMIT_MEMLOCK)"
        if soft == resource.RLIM_INFINITY:
            return f"{words}; the machine does not have that much free memory"
        if hard == resource.RLIM_INFINITY or size <= hard:
            return f"{words}. resource.setrlimit() or `ulimit -l` can raise it"
        return f"{words}. Root can raise it: memlock in /etc/security/limits.conf, LimitMEMLOCK= of a systemd service"
