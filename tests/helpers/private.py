"""Processes in namespaces of their own: no name, key or port there is anybody else's, and all ends with the first."""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from helpers.peers import Child, quiet_fork

_libc = ctypes.CDLL(None, use_errno=True)
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(kind: str, target: str, options: str = "") -> None:
    done = _libc.mount(kind.encode(), target.encode(), kind.encode(), 0, options.encode())
    _check(done, f"mount {kind} on {target}")


def _die_with_parent() -> None:
    """Be killed when whoever forked us ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


def _unshare() -> None:
    """Leave the namespaces of the machine; whoever is not root becomes root of a user namespace."""
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare((_NEWUSER if uid else 0) | _NEWNS | _NEWIPC | _NEWPID | _NEWNET), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _die_with_parent()
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "mount / private")


def _furnish() -> None:
    """Give the first process of the namespaces an empty /dev/shm, a /proc of its own, and a loopback."""
    _mount("proc", "/proc")
    _mount("tmpfs", "/dev/shm")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _first(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Run the function as the first process of new namespaces: when it ends, the kernel ends all others there."""
    _unshare()
    ours, theirs = os.pipe()
    first = quiet_fork()
    if first:
        os.close(theirs)
        with os.fdopen(ours, "rb") as told:
            words = told.read()
        os.waitpid(first, 0)
        if words:
            raise AssertionError(words.decode())
        return None
    status = 1
    try:
        os.close(ours)
        _die_with_parent()
        _furnish()
        function(pipe, *args)
        status = 0
    except BaseException:
        os.write(theirs, traceback.format_exc().encode())
    finally:
        os._exit(status)


class Private(Child):
    """A :class:`Child` with an IPC, mount, process and network namespace of its own.

    /dev/shm is empty, System V keys free, all ports of the loopback free and no other network there. Whatever
    its function starts ends with it, however it ends. Its result is None.
    """

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(_first, function, args)


def hide(folder: Path) -> None:
    """In a private process: let an empty folder stand in the place of one, which is made if it is missing."""
    folder.mkdir(mode=0o755, exist_ok=True)
    _mount("tmpfs", str(folder), "mode=755")


def next_pid(pid: int) -> None:
    """In a private process: have the next process that is started get a number, if nobody has it."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))


def _nothing(pipe: Connection) -> None:
    pass


def require() -> None:
    """Skip the test where there can be no such processes."""
    if sys.platform != "linux":
        pytest.skip("namespaces are Linux's")
    try:
        with Private(_nothing):
            pass
    except AssertionError as error:
        pytest.skip(f"no namespaces of its own here: {str(error).strip().splitlines()[-1]}")
