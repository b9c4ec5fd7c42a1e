"""Every test has names of its own, and leaves nothing behind: no region, no process."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

import marks
from system import children, kill
from typedshm.testing import isolated


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("typedshm")
    group.addoption(
        "--kills",
        type=int,
        default=10 if marks.WINDOWS else 1000,
        help="how many processes the kill storm kills (default: %(default)s)",
    )
    group.addoption("--thorough", action="store_true", help="models, storms and fuzzing at their full length")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes a kill storm is to kill."""
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """True for long rounds of what has a short one in every run."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let SIGINT be a KeyboardInterrupt also where the tests are a job in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[str]:
    """Isolate the test by the environment, which its child processes inherit."""
    before = set(children())
    try:
        with isolated() as name:
            yield name
    finally:
        left = {pid: words for pid, words in children().items() if pid not in before}
        for pid in left:  # or they would run beside every test that follows
            with contextlib.suppress(OSError):
                kill(pid)
    assert not left, f"processes left by the test: {list(left.values())}"
