"""Windows: sessions, and Wine."""

import os
import sys
from collections.abc import Iterator

from typedshm.cli.amounts import size_of
from typedshm.cli.findings.finding import Finding, Level

KIND = "Windows"

_LITTLE = 2**30


def check_session(session: int, *, may_make_global: bool) -> Iterator[Finding]:
    """Judge who can share regions with this process."""
    if session == 0:
        yield Finding(
            Level.NOTE,
            KIND,
            "this process runs in session 0, that of services",
            "Names of scope 'user' are each session's own: programs of somebody who has logged in do not see them.",
            'scope="machine"',
        )
    else:
        yield Finding(Level.OK, KIND, f"regions of scope 'user' are shared by the programs of session {session}")
    if not may_make_global:
        yield Finding(
            Level.NOTE,
            KIND,
            'regions of scope="machine" cannot be made by this process, only joined',
            "That takes the right to create global objects, which administrators and services have.",
            "Start the program that makes them as an administrator or a service; or use a region in a file.",
        )


def check_commit(free: int, most: int) -> Iterator[Finding]:
    """Judge how much memory processes may still ask for: regions are parts of the paging file."""
    if most and free < min(_LITTLE, most // 10):
        yield Finding(
            Level.WARNING,
            KIND,
            f"{size_of(free)} of {size_of(most)} are left of memory and paging file",
            "A region that does not fit is refused (RegionFull).",
            "End programs, or make the paging file larger: System, Advanced settings, Performance.",
        )


def check_wine(version: str) -> Iterator[Finding]:
    """Judge the Windows that it is."""
    if version:
        yield Finding(
            Level.NOTE, KIND, f"this is Wine {version}, no Windows", "It shares no regions with programs of Linux."
        )


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)

    def windows() -> Iterator[Finding]:
        """Look at the session of this process."""
        yield from check_session(_session(), may_make_global=_may_make_global())
        yield from check_commit(*_commit())
        yield from check_wine(_wine())

    def _session() -> int:
        found = wintypes.DWORD()
        _kernel.ProcessIdToSessionId(os.getpid(), ctypes.byref(found))
        return found.value

    def _may_make_global() -> bool:
        _kernel.CreateFileMappingW.restype = wintypes.HANDLE
        name = f"Global\\typedshm-doctor-{os.getpid()}"
        section = _kernel.CreateFileMappingW(wintypes.HANDLE(-1), None, 4, 0, 4096, name)
        if section:
            _kernel.CloseHandle(wintypes.HANDLE(section))
        return bool(section)

    class _Memory(ctypes.Structure):
        _fields_ = (
            ("length", wintypes.DWORD),
            ("load", wintypes.DWORD),
            *((name, ctypes.c_uint64) for name in ("physical", "physical_free", "commit", "commit_free")),
            *((name, ctypes.c_uint64) for name in ("virtual", "virtual_free", "extended_free")),
        )

    def _commit() -> tuple[int, int]:
        memory = _Memory(length=ctypes.sizeof(_Memory))
        _kernel.GlobalMemoryStatusEx(ctypes.byref(memory))
        return memory.commit_free, memory.commit

    def _wine() -> str:
        try:
            version = ctypes.CDLL("ntdll").wine_get_version
        except AttributeError:
            return ""
        version.restype = ctypes.c_char_p
        return str(version().decode())

else:

    def windows() -> Iterator[Finding]:
        """Look at nothing: this is no Windows."""
        return iter(())
