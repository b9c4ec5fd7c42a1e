"""Surroundings: namespaces, containers and environment variables that decide what this process sees."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import typedshm
from typedshm.cli.findings.finding import Finding, Level, counted, listing, text_of

_INITIAL_PIDS = "pid:[4026531836]"
"""The pid namespace that the system began with."""


def surroundings(entries: "Sequence[typedshm.Entry]", namespace: str) -> Iterator[Finding]:
    """Look at the environment of this process, with all regions and mutexes that there are."""
    yield from check_variables(os.environ)
    yield from check_namespaces(namespace, entries)
    if sys.platform == "linux":
        yield from check_container(_container(), _link("/proc/self/ns/pid"))
        yield from check_pids((entry for entry in entries if entry.namespace == namespace), _runs)


def check_variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Judge the environment variables that change the library's behaviour."""
    if environment.get("TYPEDSHM_DEBUG", "") not in ("", "0"):
        yield Finding(
            Level.WARNING,
            "debugging",
            f"TYPEDSHM_DEBUG is {environment['TYPEDSHM_DEBUG']!r}",
            "Each block of update(), loan() and borrow() maps the region once more, which makes it many times slower.",
            "unset TYPEDSHM_DEBUG",
        )


def check_namespaces(namespace: str, entries: "Iterable[typedshm.Entry]") -> Iterator[Finding]:
    """Judge what is out of sight since it was made with another TYPEDSHM_NAMESPACE."""
    elsewhere = [entry for entry in entries if entry.namespace != namespace and entry.in_use is not False]
    names = sorted({entry.namespace for entry in elsewhere})
    hidden = f"{counted(len(elsewhere), 'region or mutex', 'regions and mutexes')} out of sight"
    if namespace:
        yield Finding(
            Level.NOTE,
            "namespace",
            f"TYPEDSHM_NAMESPACE is {namespace!r}" + (f", with {hidden}" if elsewhere else ""),
            "Names lead to regions of programs that were started with the same value, and to no others.",
            "unset TYPEDSHM_NAMESPACE",
        )
    elif elsewhere:
        yield Finding(
            Level.NOTE,
            "namespace",
            f"{hidden}, in {counted(len(names), 'other namespace')} ({listing(map(repr, names))})",
            "They were made by programs with another TYPEDSHM_NAMESPACE, such as tests.",
            "typedshm ls --all",
        )


def check_container(container: str, pids: str) -> Iterator[Finding]:
    """Judge the walls around this process.

    Parameters
    ----------
    container
        What kind it runs in; empty for none.
    pids
        Its pid namespace, as ``/proc/self/ns/pid`` has it; empty where it cannot be read.
    """
    own_pids = bool(pids) and pids != _INITIAL_PIDS
    if container:
        yield Finding(
            Level.NOTE,
            "container",
            f"this is a container ({container})" + (", with process ids of its own" if own_pids else ""),
            "It shares named regions only with those that have the same /dev/shm; process ids in regions that are "
            "shared with the outside may mean other processes.",
            "docker run --ipc=host, --ipc=container:…, or a volume at /dev/shm; --pid=host",
        )
    elif own_pids:
        yield Finding(
            Level.NOTE,
            "container",
            "this process is in a pid namespace of its own",
            "Process ids that processes outside have written into regions may mean other processes here.",
        )


def check_pids(entries: "Iterable[typedshm.Entry]", runs: Callable[[int], bool]) -> Iterator[Finding]:
    """Judge whether the process ids in regions are of this pid namespace.

    Parameters
    ----------
    runs
        Tells of a process id whether there is such a process here.
    """
    strange = [entry for entry in entries if not all(map(runs, (*entry.writers, *entry.readers)))]
    if strange:
        names = listing(repr(str(entry.name)) for entry in strange)
        yield Finding(
            Level.NOTE,
            "container",
            f"{counted(len(strange), 'region')} ({names}) name processes that are not seen from here",
            "They have the region open in another container or pid namespace, where their ids mean other processes.",
        )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _container() -> str:
    """Return the kind of container that this process runs in; empty for none."""
    for path, kind in (("/.dockerenv", "Docker"), ("/run/.containerenv", "Podman")):
        if os.path.exists(path):
            return kind
    if kind := text_of("/run/systemd/container").strip():
        return kind
    return container_in(text_of("/proc/1/cgroup"), text_of("/proc/1/environ"))


def container_in(group: str, environment: str) -> str:
    """Return the kind of container that control group and environment of the first process tell of."""
    if found := re.search(r"(?:^|\0)container=([^\0]+)", environment):
        return found[1]
    found = re.search(r"kubepods|docker|libpod|lxc|containerd", group)
    return found[0] if found else ""


def _link(path: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return ""
