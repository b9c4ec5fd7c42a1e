"""Processes, as the system knows them: their command lines, when they began, what they have open."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from typedshm.arguments import whole

T = TypeVar("T")

_LONGEST = 60

if sys.platform == "win32":
    import ctypes

    def _arguments(pid: int) -> list[str]:
        """Return the program of a process: of its command line, Windows tells no more without risk."""
        limited_information = 0x1000
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        process = kernel.OpenProcess(limited_information, False, pid)
        if not process:
            return []
        try:
            size = ctypes.c_ulong(1024)
            path = ctypes.create_unicode_buffer(size.value)
            found = kernel.QueryFullProcessImageNameW(ctypes.c_void_p(process), 0, path, ctypes.byref(size))
            return [path.value] if found else []
        finally:
            kernel.CloseHandle(ctypes.c_void_p(process))

    def started_at(pid: int) -> int:
        """Return when a process began, in the system's own unit; 0 where it does not tell."""
        limited_information = 0x1000
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        process = kernel.OpenProcess(limited_information, False, int(pid))
        if not process:
            return 0
        try:
            began, *others = (ctypes.c_uint64() for _ in range(4))
            times = map(ctypes.byref, (began, *others))
            return began.value if kernel.GetProcessTimes(ctypes.c_void_p(process), *times) else 0
        finally:
            kernel.CloseHandle(ctypes.c_void_p(process))

    def is_mapped_by(pid: int, inode: int) -> bool | None:
        """Return None: the system does not tell."""
        return None

    def _running() -> list[int]:
        return []

    def _open_files(pid: int, ask: Callable[[str], T]) -> Iterator[T]:
        del pid, ask
        return iter(())

else:

    def _arguments(pid: int) -> list[str]:
        """Return the arguments that a process was started with; none where the system does not tell."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read(4096)
        except OSError:
            return []
        return words.decode(errors="replace").rstrip("\0").split("\0") if words else []

    def started_at(pid: int) -> int:
        """Return when a process began, in the system's own unit; 0 where it does not tell."""
        try:
            with open(f"/proc/{int(pid)}/stat", "rb") as file:
                # behind the program's name, which is the second field and may contain anything
                return int(file.read(4096).rpartition(b")")[2].split()[19])
        except (OSError, IndexError, ValueError):
            return 0

    def is_mapped_by(pid: int, inode: int) -> bool | None:
        """Tell whether a process has mapped the file; None where the system does not tell, as of another user's."""
        wanted = str(inode).encode()
        try:
            with open(f"/proc/{pid}/maps", "rb") as file:
                return any(wanted in line.split(None, 5)[4:5] for line in file)
        except OSError:
            return None

    def _running() -> list[int]:
        """List all processes; none where the system does not tell in files."""
        try:
            return [int(name) for name in os.listdir("/proc") if name.isdigit()]
        except OSError:
            return []

    def _open_files(pid: int, ask: Callable[[str], T]) -> Iterator[T]:
        """Ask something about each file that a process has open; nothing about another user's."""
        folder = f"/proc/{pid}/fd/"
        try:
            numbers = os.listdir(folder)
        except OSError:
            return
        for number in numbers:
            with contextlib.suppress(OSError):  # it was closed meanwhile
                yield ask(folder + number)


def users_of(inode: int) -> list[int]:
    """Find the processes of this user that have a region in a file open; none where the system does not tell.

    They map it and have it open: a region that was closed is still mapped while somebody has its handle, and another
    file system has files of the same number.
    """
    others = (pid for pid in _running() if pid != os.getpid() and is_mapped_by(pid, inode))
    return [pid for pid in others if any(file.st_ino == inode for file in _open_files(pid, os.stat))]


def openers(paths: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Find the processes that have files open: of this user, for root of all; none where the system does not tell."""
    real = {path: os.path.realpath(path) for path in paths}
    found: dict[str, set[int]] = {path: set() for path in real.values()}
    for pid in _running() if found else ():
        for path in _open_files(pid, os.readlink):
            if path in found:
                found[path].add(pid)
    return {path: tuple(sorted(found[place])) for path, place in real.items()}


def command_of(pid: int) -> str:
    """Return the command line of a process, shortened to 60 characters; empty where it cannot be read.

    Nothing in it moves a terminal's cursor: what cannot be printed is a question mark.

    Parameters
    ----------
    pid
        A process id, as of :attr:`Entry.writers`. In another container it means another process.

    Examples
    --------
    >>> typedshm.command_of(4194305)  # above the highest that Linux gives
    ''
    """
    arguments = _arguments(whole(pid, "pid", 0, "a process id", 2**32 - 1))
    if not arguments:
        return ""
    program = arguments[0].replace("\\", "/").rpartition("/")[2] if os.name == "nt" else os.path.basename(arguments[0])
    words = " ".join(" ".join([program, *arguments[1:]]).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in words)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
