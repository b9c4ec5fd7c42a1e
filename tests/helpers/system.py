"""What the tests ask the operating system about processes and memory."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)

    class _Process(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("usage", wintypes.DWORD),
            ("pid", wintypes.DWORD),
            ("heap", ctypes.c_size_t),
            ("module", wintypes.DWORD),
            ("threads", wintypes.DWORD),
            ("parent", wintypes.DWORD),
            ("priority", wintypes.LONG),
            ("flags", wintypes.DWORD),
            ("file", wintypes.WCHAR * 260),
        )

    class _Pages(ctypes.Structure):
        _fields_ = (
            ("base", ctypes.c_void_p),
            ("allocation", ctypes.c_void_p),
            ("allocation_protect", wintypes.DWORD),
            ("partition", wintypes.WORD),
            ("size", ctypes.c_size_t),
            ("state", wintypes.DWORD),
            ("protect", wintypes.DWORD),
            ("type", wintypes.DWORD),
        )

    _MEM_MAPPED = 0x40000
    _ALREADY_EXISTS = 183
    _SYNCHRONIZE = 0x100000
    _SNAP_PROCESSES = 2
    _kernel32.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
    _kernel32.OpenProcess.restype = wintypes.HANDLE
    _kernel32.CreateEventW.argtypes = (ctypes.c_void_p, wintypes.BOOL, wintypes.BOOL, wintypes.LPCWSTR)
    _kernel32.CreateEventW.restype = wintypes.HANDLE
    for _function in ("Process32FirstW", "Process32NextW"):
        getattr(_kernel32, _function).argtypes = (wintypes.HANDLE, ctypes.c_void_p)
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    _kernel32.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
    _kernel32.VirtualQuery.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    SEGFAULT = 0xC0000005
    """The exit code of a process that touched memory it must not."""

    def _processes() -> Iterator[_Process]:
        snapshot = _kernel32.CreateToolhelp32Snapshot(_SNAP_PROCESSES, 0)
        process = _Process(size=ctypes.sizeof(_Process))
        found = _kernel32.Process32FirstW(snapshot, ctypes.byref(process))
        while found:
            yield process
            found = _kernel32.Process32NextW(snapshot, ctypes.byref(process))
        _kernel32.CloseHandle(snapshot)

    def children() -> dict[int, str]:
        """Our living child processes, but for Wine's desktop, which begins when somebody looks for a camera."""
        ours = (each for each in _processes() if each.parent == os.getpid() and each.file != "explorer.exe")
        return {each.pid: f"{each.pid} {each.file}" for each in ours}

    def wait_for_exit(pid: int, patience: float) -> None:
        """Wait until a process has ended that need not be our child."""
        process = _kernel32.OpenProcess(_SYNCHRONIZE, False, pid)
        if process:
            assert _kernel32.WaitForSingleObject(process, int(1000 * patience)) == 0
            _kernel32.CloseHandle(process)

    class NamedEvent:
        """An event of the kernel's, which resets itself and exists while somebody has it open."""

        def __init__(self, name: str) -> None:
            self._handle = _kernel32.CreateEventW(None, False, False, name)
            self.created = ctypes.get_last_error() != _ALREADY_EXISTS
            assert self._handle, ctypes.get_last_error()

        def is_set(self) -> bool:
            """True if it was set, once."""
            return _kernel32.WaitForSingleObject(self._handle, 0) == 0

        def close(self) -> None:
            """Leave it."""
            _kernel32.CloseHandle(self._handle)

    def is_shared_memory(address: int) -> bool:
        """True if a region is mapped there."""
        pages = _Pages()
        assert _kernel32.VirtualQuery(address, ctypes.byref(pages), ctypes.sizeof(pages))
        return pages.type == _MEM_MAPPED

else:
    import time

    SEGFAULT = -signal.SIGSEGV
    """The exit code of a process that touched memory it must not."""

    def children() -> dict[int, str]:
        """Our child processes, dead or alive, but for the helpers that multiprocessing keeps."""
        found: dict[int, str] = {}
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return found  # none at all, as after most tests: every other process need not be looked at
        module: Any = sys.modules.get("multiprocessing.resource_tracker")
        tracker = None if module is None else module._resource_tracker._pid  # it has no command line at first
        ours = str(os.getpid())
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                state, parent = _read(f"/proc/{name}/stat").rpartition(")")[2].split(maxsplit=2)[:2]
                if parent != ours:
                    continue
                command = _read(f"/proc/{name}/cmdline").replace("\0", " ")
            except OSError:
                continue  # it has ended meanwhile
            if "multiprocessing." not in command and int(name) != tracker:
                found[int(name)] = f"{name} ({state}) {command}"
        return found

    def _read(path: str) -> str:
        """A file of a few bytes, at a third of the price that Path has: twice in each test, for each process."""
        fd = os.open(path, os.O_RDONLY)
        try:
            return os.read(fd, 4096).decode(errors="replace")
        finally:
            os.close(fd)

    def wait_for_exit(pid: int, patience: float) -> None:
        """Wait until a process has ended that need not be our child; its parent takes note in its own time."""
        deadline = time.monotonic() + patience
        while True:
            try:
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                    return
            except FileNotFoundError:
                return
            assert time.monotonic() < deadline
            os.sched_yield()

    def is_shared_memory(address: int) -> bool:
        """True if a region is mapped there."""
        for line in Path("/proc/self/maps").read_text().splitlines():
            start, _, end = line.split()[0].partition("-")
            if int(start, 16) <= address < int(end, 16):
                return "/dev/shm/" in line
        raise AssertionError("the address is in no mapping")


def kill(pid: int) -> None:
    """End a process at once, whatever it is doing."""
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # which Windows makes TerminateProcess of
