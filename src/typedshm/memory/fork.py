"""Fork: the one place that registers with :func:`os.register_at_fork`.

A child of a fork has its parent's memory and none of its rights, so several modules have something to do around a
fork, and the order matters: what the child looks into can be copied only after it has an attachment of its own. The
order is written down here instead of being that of imports.
"""

import os
import sys
from collections.abc import Callable, Iterable

Hook = Callable[[], None]

ORDER = ("attachments", "waitsets", "workers", "slots", "recorders")
"""Whose hooks run first after a fork; before it they run the other way round."""


def _nothing() -> None:
    pass


_before: dict[str, Hook] = {}
_in_parent: dict[str, Hook] = {}
_in_child: dict[str, Hook] = {}


def add_hooks(name: str, *, before: Hook = _nothing, in_parent: Hook = _nothing, in_child: Hook = _nothing) -> None:
    """Have functions called around every fork, at the place that `name` has in :data:`ORDER`.

    Raises
    ------
    ValueError
        :data:`ORDER` does not have that name, or it has hooks already.
    """
    if name not in ORDER or name in _before:
        raise ValueError(f"fork hooks {name!r}: expected a name of {ORDER} that has none yet")
    _before[name], _in_parent[name], _in_child[name] = before, in_parent, in_child


def _call(hooks: dict[str, Hook], names: Iterable[str]) -> None:
    """Call all of them; the first exception, as of a signal handler, waits until the last has run."""
    raised: BaseException | None = None
    for name in names:
        try:
            hooks.get(name, _nothing)()
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        raise raised


def before_fork() -> None:
    """Run what is due before a fork."""
    _call(_before, reversed(ORDER))


def after_fork_in_parent() -> None:
    """Run what is due after it, in the parent."""
    _call(_in_parent, ORDER)


def after_fork_in_child() -> None:
    """Run what is due after it, in the child."""
    _call(_in_child, ORDER)


if sys.platform != "win32":
    os.register_at_fork(before=before_fork, after_in_parent=after_fork_in_parent, after_in_child=after_fork_in_child)
