"""Shortage: what there was not enough of, when a file could not get its bytes."""

import contextlib
import errno
import os
import resource
import sys

from typedshm.errors import RegionFull

assert sys.platform != "win32"

SHORTAGES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}
"""Of the system, that mean a shortage."""

_SMALL = 64 * 2**20
"""Bytes of /dev/shm in a container, unless it was started with more."""


def shortage(subject: object, folder: str, size: int, error: OSError) -> RegionFull:
    """Make the error of a file of `size` bytes that its file system, or a limit, has no room for.

    Parameters
    ----------
    subject
        What is to be in the file, as a message begins with it.
    folder
        The directory of the file.
    size
        0 if not even an empty file could be made.
    """
    return RegionFull(error.errno, f"{subject} {_needs(size)}, but {_reason(folder, size, error)}")


def check_room(fd: int, size: int) -> None:
    """Refuse what its file system has no room for before it is tried: that fills a disk for everybody meanwhile.

    Raises
    ------
    OSError
        ENOSPC.
    """
    system = os.fstatvfs(fd)
    if system.f_blocks and size > system.f_bfree * system.f_frsize:  # no blocks: of a file system without a limit
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _needs(size: int) -> str:
    return f"needs {size:,} bytes" if size else "needs a file"


def _reason(folder: str, size: int, error: OSError) -> str:
    if error.errno == errno.EFBIG:
        return _too_large(folder, size)
    if error.errno == errno.EDQUOT:
        return f"the disk quota of user {os.geteuid()} in {folder} is used up"
    if error.errno == errno.ENOMEM:
        return "this process or its control group has no more memory or addresses, or the machine has none"
    return _no_space(folder, size, error)


def _too_large(folder: str, size: int) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or size <= soft:
        return f"the file system of {folder} has no files as large as that"
    words = f"this process may make no file larger than {soft:,} bytes (RLIMIT_FSIZE)"
    if hard == resource.RLIM_INFINITY or size <= hard:
        return f"{words}. resource.setrlimit() or `ulimit -f` can raise that"
    return f"{words}. Root can raise that: fsize in /etc/security/limits.conf, LimitFSIZE= of a systemd service"


def _no_space(folder: str, size: int, error: OSError) -> str:
    with contextlib.suppress(OSError):
        system = os.statvfs(folder)
        free, whole = system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize
        if system.f_files and not system.f_favail:
            return f"the file system of {folder} has no more files (inodes)"
        words = f"{folder} has {free:,} free"
        if folder.rstrip("/") == "/dev/shm" and size > free:
            words += f" of {whole:,}; `mount -o remount,size=…` (as root) makes it larger"
            words += ", in a container --shm-size" if whole <= _SMALL else ""
        return words
    return str(error.strerror)
