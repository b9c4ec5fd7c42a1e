"""Every test has names of its own, and leaves nothing behind: no region, no process."""

from collections.abc import Iterator

import pytest

from system import children
from typedshm.testing import isolated


@pytest.fixture(autouse=True)
def namespace() -> Iterator[str]:
    """Isolate the test by the environment, which its child processes inherit."""
    before = set(children())
    with isolated() as name:
        yield name
    left = [words for pid, words in children().items() if pid not in before]
    assert not left, f"processes left by the test: {left}"
