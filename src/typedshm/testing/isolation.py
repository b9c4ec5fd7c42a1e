"""Isolation of tests.

A fixture that hides every test's regions from all other processes, and fails a test that leaves one open::

    @pytest.fixture(autouse=True)
    def namespace():
        with typedshm.testing.isolated() as name:
            yield name
"""

import contextlib
import gc
import os
import secrets
from collections.abc import Generator, Iterator

from typedshm.memory import lifecycle
from typedshm.memory.names import Location, Scope

_VARIABLE = "TYPEDSHM_NAMESPACE"


@contextlib.contextmanager
def isolated() -> Generator[str, None, None]:
    """Run a block in a private namespace of regions and mutexes.

    Regions and mutexes created inside, by this process and its children, cannot be seen from outside, nor those outside
    from inside. The namespace is an environment variable, so it holds for the whole process, not for one thread.
    File-backed regions are not affected.

    Yields
    ------
    str
        The namespace, the value of the environment variable ``TYPEDSHM_NAMESPACE`` inside the block.

    Raises
    ------
    AssertionError
        At the end of the block, if a region or mutex still exists: open somewhere, or a leftover of a killed process
        (``typedshm.regions()`` removes those). All of them are removed first. An error raised by the block is not
        replaced by this one.
    """
    outer = os.environ.get(_VARIABLE)
    namespace = f"isolated-{secrets.token_hex(6)}"
    os.environ[_VARIABLE] = namespace
    left: list[str] = []
    try:
        yield namespace
    finally:
        left.extend(_clear())
        if outer is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = outer
    if left:
        raise AssertionError(f"left in namespace {namespace!r}:\n" + "\n".join(left))


def _clear() -> Iterator[str]:
    """Remove the regions and mutexes left in the namespace; yield a line about each."""
    if _left():
        gc.collect()  # handles that were dropped without close()
    for kind, location in _left():
        yield f"  {kind} {str(location.name)!r} of scope {location.scope!r}, {lifecycle.state(location)}"
        lifecycle.discard(location)


def _left() -> list[tuple[str, Location]]:
    scopes: tuple[Scope, Scope] = ("user", "machine")
    kinds: list[tuple[Scope, str]] = [(scope, kind) for scope in scopes for kind in ("region", "mutex")]
    return [(kind, location) for scope, kind in kinds for location in lifecycle.existing(scope, kind)]
