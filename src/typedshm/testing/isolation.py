"""Aids for the tests of programs that use typedshm.

A fixture that keeps every test's regions to itself, and fails the test that leaves one behind::

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
    """Give what runs inside names of its own.

    Regions and mutexes made inside, by this process and by those it starts, cannot be seen from outside, nor those
    outside from inside. It works through the environment, so it holds for the whole process and not for one thread;
    file-backed regions have their path and are left alone.

    Yields
    ------
    str
        The namespace, as the environment variable ``TYPEDSHM_NAMESPACE`` holds it meanwhile.

    Raises
    ------
    AssertionError
        At the end, if a region or mutex is left: still open somewhere, or left behind by a process that was killed
        (``typedshm.regions()`` removes those). All of them are removed first, and an error that ends the block is
        not hidden by this one.
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
    """Remove what the namespace still holds; tells what it was."""
    if _left():
        gc.collect()  # handles that were dropped without close()
    for kind, location in _left():
        yield f"  {kind} {str(location.name)!r} of scope {location.scope!r}, {lifecycle.state(location)}"
        lifecycle.discard(location)


def _left() -> list[tuple[str, Location]]:
    scopes: tuple[Scope, Scope] = ("user", "machine")
    kinds: list[tuple[Scope, str]] = [(scope, kind) for scope in scopes for kind in ("region", "mutex")]
    return [(kind, location) for scope, kind in kinds for location in lifecycle.existing(scope, kind)]
