"""Room: where named regions are kept, and how much more fits there."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import typedshm
from typedshm.cli.amounts import size_of
from typedshm.cli.findings.finding import Finding, Level, listing, text_of
from typedshm.cli.findings.users import user_name

KIND = "memory"

_SMALL = 64 * 2**20
"""Bytes of /dev/shm in a container, unless it was started with more."""
_LITTLE = 16 * 2**20
_IN_MEMORY = {"tmpfs", "ramfs", "hugetlbfs"}
_NEEDS = "Named regions are files there."


class Room(NamedTuple):
    """The folder of named regions, and its file system."""

    folder: str
    exists: bool = True
    kind: str = ""
    """Of the file system; empty where that is not known, or does not matter."""
    mode: int = 0o1777
    writable: bool = True
    size: int = 0
    free: int = 0
    files_free: int | None = None
    """How many more files there can be; None where there is no limit."""


class Content(NamedTuple):
    """A file in that folder."""

    name: str
    size: int


def check_room(room: Room, contents: Iterable[Content], entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
    """Judge the folder of named regions.

    Parameters
    ----------
    contents
        The files in it.
    entries
        Which of them are regions and mutexes.
    """
    folder = room.folder
    if not room.exists:
        remedy = f"mount -t tmpfs -o mode=1777 tmpfs {folder} (as root; make the directory first)"
        yield Finding(
            Level.PROBLEM, KIND, f"{folder} is missing", _NEEDS, f"{remedy}; a container: not with --ipc=none"
        )
        return
    if not room.writable:
        mode = f"its permission bits are {room.mode:o}"
        remedy = f"chmod 1777 {folder}, or mount -o remount,rw {folder} (as root)"
        yield Finding(Level.PROBLEM, KIND, f"{folder} cannot be written to: {mode}", _NEEDS, remedy)
    elif room.mode & 0o1002 == 0o002:
        why = "Other users can remove or replace your regions."
        yield Finding(Level.WARNING, KIND, f"{folder} is open to all, without sticky bit", why, f"chmod +t {folder}")
    if room.kind and room.kind not in _IN_MEMORY:
        why = "The system writes regions to a disk now and then, which takes time and wears it out."
        remedy = f"mount -t tmpfs -o mode=1777 tmpfs {folder} (as root)"
        yield Finding(Level.WARNING, KIND, f"{folder} is not in memory, but of type {room.kind}", why, remedy)
    yield from _check_space(room, contents, entries)


def _check_space(room: Room, contents: Iterable[Content], entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
    folder, size, free = room.folder, room.size, room.free
    if room.files_free == 0:
        why = "A region that is made is refused (RegionFull)."
        remedy = f"mount -o remount,nr_inodes=0 {folder} (as root), or remove files"
        yield Finding(Level.PROBLEM, KIND, f"{folder} has no more files (inodes)", why, remedy)
    if not size:  # as of ramfs, and of tmpfs with size=0
        yield Finding(Level.OK, KIND, f"{folder} has room as long as there is memory")
        return
    space = f"{folder} has {size_of(free)} free of {size_of(size)}"
    larger = f"mount -o remount,size=… {folder} (as root)"
    if free < size // 100:
        level = Level.PROBLEM
    elif free < max(size // 10, min(_LITTLE, size // 2)):
        level = Level.WARNING
    else:
        level = Level.OK
    if level is not Level.OK:
        why = f"A region that does not fit is refused (RegionFull). Largest: {_largest(contents, entries)}."
        yield Finding(level, KIND, f"{space}: nearly full", why, f"Close or remove what is not needed, or {larger}.")
    if size <= _SMALL:
        why = (
            "That is what containers get, and less than some pictures take. What does not fit is refused (RegionFull)."
        )
        remedy = (
            f"docker run --shm-size=1g …; shm_size: of compose; an emptyDir of medium Memory in Kubernetes; {larger}"
        )
        yield Finding(Level.WARNING, KIND, space, why, remedy)
    elif level is Level.OK:
        yield Finding(Level.OK, KIND, space)


def _largest(contents: Iterable[Content], entries: "Iterable[typedshm.Entry]") -> str:
    known = {os.path.basename(entry.path): entry for entry in entries if entry.path}
    largest = sorted(contents, key=lambda content: -content.size)[:5]
    return listing(f"{_described(content, known.get(content.name))} {size_of(content.size)}" for content in largest)


def _described(content: Content, entry: "typedshm.Entry | None") -> str:
    if entry is None:
        return f"file {content.name}"
    whose = f" of {user_name(entry.user)}" if entry.user else ""
    return f"{entry.kind} {str(entry.name)!r}{whose}{' (left behind)' if entry.in_use is False else ''}"


def kind_of(folder: str) -> str:
    """Return the type of a folder's file system; empty where the system does not tell."""
    return mount_of(folder, text_of("/proc/self/mounts"))[0]


def mount_of(folder: str, mounts: str) -> tuple[str, tuple[str, ...]]:
    """Return the type and the options of a folder's file system, as ``/proc/self/mounts`` tells; empty if it does not.

    The last of several that are mounted at the same place is the one that is seen.
    """
    found: tuple[str, str, tuple[str, ...]] = "", "", ()
    for line in mounts.splitlines():
        _, where, kind, options, *_ = line.split()
        point = where.encode().decode("unicode_escape")  # spaces are written as \040
        if Path(folder).is_relative_to(point) and len(point) >= len(found[0]):
            found = point, kind, tuple(options.split(","))
    return found[1:]


if sys.platform == "win32":

    def room(entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
        """Look at nothing: named regions have no folder."""
        del entries
        return iter(())

else:

    def room(entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
        """Look at the folder of named regions, with all that there are."""
        found = _room(str(typedshm.path_of("x").parent))
        return check_room(found, _contents(found.folder), entries)

    def _room(folder: str) -> Room:
        if not os.path.isdir(folder):
            return Room(folder, exists=False)
        system, mode = os.statvfs(folder), stat.S_IMODE(os.stat(folder).st_mode)
        return Room(
            folder,
            kind=kind_of(folder),
            mode=mode,
            writable=os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids),
            size=system.f_blocks * system.f_frsize,
            free=system.f_bavail * system.f_frsize,
            files_free=system.f_favail if system.f_files else None,
        )

    def _contents(folder: str) -> Iterator[Content]:
        try:
            files = list(os.scandir(folder))
        except OSError:
            return
        for file in files:
            try:
                yield Content(file.name, file.stat(follow_symlinks=False).st_blocks * 512)
            except OSError:
                continue  # it was removed meanwhile
