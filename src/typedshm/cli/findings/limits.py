"""Limits: what the system lets a process have of files, descriptors and memory."""

import sys
from collections.abc import Iterator, Mapping

from typedshm.cli.amounts import size_of
from typedshm.cli.findings.finding import Finding, Level, text_of

KIND = "limits"

Limits = Mapping[str, tuple[int | None, int | None]]
"""The soft and hard limit of each resource, such as ``"NOFILE"``; None where there is none."""

_FEW_FILES = 512
_LITTLE = 2**30
_LITTLE_LOCKED = 64 * 2**20
_IPC_LOCK = 1 << 14
"""The capability to lock any amount of memory."""


def limits() -> Iterator[Finding]:
    """Look at the limits of processes that are started like this one."""
    if sys.platform == "win32":
        return
    status = text_of("/proc/self/status")
    yield from check_limits(_limits(), may_lock=bool(capabilities(status) & _IPC_LOCK))
    yield from check_file_table(text_of("/proc/sys/fs/file-nr"))
    yield from check_group(_group_limit())


def check_limits(limits: Limits, *, may_lock: bool) -> Iterator[Finding]:
    """Judge the limits of this process.

    Parameters
    ----------
    may_lock
        Whether it may lock memory without limit, as root may.
    """
    found: list[Finding] = [
        *_check_files(*limits.get("NOFILE", (None, None))),
        *_check_sizes(*limits.get("FSIZE", (None, None))),
        *_check_addresses(*limits.get("AS", (None, None))),
    ]
    if not may_lock:
        found += _check_locked(*limits.get("MEMLOCK", (None, None)))
    yield from found or [Finding(Level.OK, KIND, "files, descriptors and memory of a process suffice")]


def _check_files(soft: int | None, hard: int | None) -> Iterator[Finding]:
    if soft is not None and soft < _FEW_FILES:
        why = "Each region that a process has open is one, two while it forks: more are refused (RegionFull)."
        what = f"a process may have {soft:,} files open (RLIMIT_NOFILE)"
        yield Finding(Level.WARNING, KIND, what, why, _raise("ulimit -n 4096", "nofile", "LimitNOFILE=", hard, 4096))


def _check_sizes(soft: int | None, hard: int | None) -> Iterator[Finding]:
    if soft is not None:
        why = "Regions are files: a larger one is refused (RegionFull)."
        what = f"a process may make no file larger than {size_of(soft)} (RLIMIT_FSIZE)"
        level = Level.WARNING if soft < _LITTLE else Level.NOTE
        yield Finding(level, KIND, what, why, _raise("ulimit -f unlimited", "fsize", "LimitFSIZE=", hard, None))


def _check_addresses(soft: int | None, hard: int | None) -> Iterator[Finding]:
    if soft is not None:
        why = "Every region that is open takes addresses of its size: more are refused (RegionFull)."
        what = f"a process may have {size_of(soft)} of addresses (RLIMIT_AS)"
        level = Level.WARNING if soft < 4 * _LITTLE else Level.NOTE
        yield Finding(level, KIND, what, why, _raise("ulimit -v unlimited", "as", "LimitAS=", hard, None))


def _check_locked(soft: int | None, hard: int | None) -> Iterator[Finding]:
    if soft is not None and soft < _LITTLE_LOCKED:
        why = "It matters for lock_memory=True only, which is refused for larger regions (RegionRefused)."
        what = f"a process may lock {size_of(soft)} of memory (RLIMIT_MEMLOCK)"
        yield Finding(
            Level.NOTE, KIND, what, why, _raise("ulimit -l unlimited", "memlock", "LimitMEMLOCK=", hard, None)
        )


def _raise(command: str, item: str, setting: str, hard: int | None, wanted: int | None) -> str:
    """Say how a limit is raised: by anybody as far as the hard limit allows, beyond that by root."""
    root = f"as root: {item} in /etc/security/limits.conf, {setting} of a systemd service"
    if hard is None or (wanted is not None and wanted <= hard):
        return f"{command}; for good, {root}"
    return f"The hard limit is {hard:,}. Raise it {root}"


def check_file_table(file_nr: str) -> Iterator[Finding]:
    """Judge the descriptors of the whole system, by ``/proc/sys/fs/file-nr``."""
    numbers = [int(number) for number in file_nr.split() if number.isdigit()]
    if len(numbers) != 3:
        return
    used, most = numbers[0] - numbers[1], numbers[2]
    if used * 10 < most * 8:
        return
    level = Level.PROBLEM if used * 100 >= most * 98 else Level.WARNING
    what = f"{used:,} of the system's {most:,} files are open"
    why = "With the last one no process can open a file or region any more."
    yield Finding(level, KIND, what, why, f"sysctl -w fs.file-max={2 * most} (as root); `lsof` shows who has them open")


def check_group(most: int | None) -> Iterator[Finding]:
    """Judge how much memory the control group may have."""
    if most is not None and most < _LITTLE:
        what = f"the processes of this control group may use {size_of(most)} of memory"
        why = "Regions count: a write to one that does not fit ends a process (out of memory)."
        yield Finding(Level.NOTE, KIND, what, why, "docker run --memory=…; MemoryMax= of a systemd service")


def capabilities(status: str) -> int:
    """Return the effective capabilities, as ``/proc/self/status`` tells them."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _group_limit() -> int | None:
    """Return how much memory the control group of this process may have, as far as a container sees its own."""
    text = (
        text_of("/sys/fs/cgroup/memory.max").strip() or text_of("/sys/fs/cgroup/memory/memory.limit_in_bytes").strip()
    )
    return int(text) if text.isdigit() and int(text) < 2**62 else None


if sys.platform == "win32":

    def _limits() -> Limits:
        return {}

else:
    import resource

    def _limits() -> Limits:
        names = [name for name in ("NOFILE", "FSIZE", "AS", "MEMLOCK") if hasattr(resource, f"RLIMIT_{name}")]
        found = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}
        return {name: (_finite(soft), _finite(hard)) for name, (soft, hard) in found.items()}

    def _finite(limit: int) -> int | None:
        return None if limit == resource.RLIM_INFINITY else limit
