"""Absence: what may explain that a region does not exist, and what was perhaps meant."""

import os
from collections.abc import Callable, Iterator

from typedshm.memory.names import Listed, Location, Name, Scope, listed, locate
from typedshm.memory.similar import similar

Names = Callable[[Scope], list[str]]
"""Lists the names of all files or objects of a scope."""


def absence(location: Location, names: Names, is_open: Callable[[Location], bool]) -> str:
    """Say what else there is that may have been meant, as the rest of a message; empty if there is nothing."""
    try:
        found = list(_remarks(location, names, is_open))
    except OSError:  # nothing can be listed
        found = []
    return "".join(f"; {remark}" for remark in found)


def _remarks(location: Location, names: Names, is_open: Callable[[Location], bool]) -> Iterator[str]:
    name = location.name
    if not isinstance(name, str):
        yield from _remarks_on_file(location, names, is_open)
        return
    if "\0" not in name and os.path.lexists(name):
        yield f"{name!r} is a name and no file: pathlib.Path({name!r}) is the file of that path"
    elif os.path.isabs(name):
        yield f"{name!r} is a name and no file, as it is no pathlib.Path"
    regions = [entry for entry in _regions(names) if entry.name != name or _exists(entry, name, is_open)]
    same = [entry for entry in regions if entry.name == name]
    here = [entry for entry in same if entry.in_namespace]
    if location.scope == "user" and any(entry.user is None for entry in here):
        yield "there is one of scope='machine'"
    if location.scope == "machine" and any(entry.is_ours for entry in here):
        yield "there is one of scope='user'"
    others = sorted({entry.user for entry in here if entry.user is not None and not entry.is_ours})
    if others:
        who = f"user {others[0]} has" if len(others) == 1 else f"users {', '.join(others)} have"
        yield f"{who} one of that name, but each user has names of its own; scope='machine' is for all users"
    if not here and any(entry.user is None or entry.is_ours for entry in same):
        yield "there is one in another TYPEDSHM_NAMESPACE"
    if not same:
        near = [entry.name for entry in regions if entry.in_namespace and _is_in(entry, location.scope)]
        yield from _meant(name, [other for other in near if is_open(locate(other, location.scope))])


def _remarks_on_file(location: Location, names: Names, is_open: Callable[[Location], bool]) -> Iterator[str]:
    text = os.fspath(location.name)
    if any(entry.is_ours and entry.in_namespace and entry.name == text for entry in _regions(names)):
        if is_open(locate(text)):
            yield f"there is a region named {text!r}, which is no file: its name is a str"
    elif os.path.isdir(location.folder):
        yield from _meant(os.path.basename(location.address), os.listdir(location.folder))


def _regions(names: Names) -> Iterator[Listed]:
    scopes: tuple[Scope, Scope] = ("user", "machine")
    everything = {name for scope in scopes for name in names(scope) if name.startswith("typedshm-")}
    return (entry for entry in listed(everything) if entry.kind == "region")


def _is_in(entry: Listed, scope: Scope) -> bool:
    return entry.is_ours if scope == "user" else entry.user is None


def _exists(entry: Listed, name: Name, is_open: Callable[[Location], bool]) -> bool:
    """Tell whether a process has it open, as far as this one may look."""
    if not entry.in_namespace or not (entry.is_ours or entry.user is None):
        return True
    return is_open(locate(name, "user" if entry.is_ours else "machine"))


def _meant(name: str, others: list[str]) -> Iterator[str]:
    close = similar(name, others)
    if close is not None:
        yield f"did you mean {close!r}?"
