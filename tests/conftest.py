"""Every test has names of its own, and leaves nothing behind: no region, no process."""

import contextlib
import ctypes
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from helpers import compilers, marks
from helpers.system import children, kill
from typedshm.testing import isolated


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("typedshm")
    group.addoption(
        "--kills",
        type=int,
        default=10 if marks.WINDOWS else 200,
        help="how many processes the kill storm kills (default: %(default)s)",
    )
    group.addoption("--thorough", action="store_true", help="models, storms and fuzzing at their full length")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and not marks.ROOT:
        pytest.skip(f"takes {marks.TAKES_MORE['root']}")
    compilers.allowed = item.get_closest_marker("compiler") is not None


# ---- what was counted, and what was left out, at the end and also with -q --------------------------------------------

_LEFT_OUT = pytest.StashKey[Counter[str]]()
_FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = Counter()
    config.stash[_FIGURES] = []
    # the same examples in each run, however slow the machine is, and others every time with --thorough
    settings.register_profile(
        "typedshm",
        derandomize=not config.getoption("--thorough"),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("typedshm")


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        names = (name for name in marks.TAKES_MORE if item.get_closest_marker(name))
        item.config.stash[_LEFT_OUT].update(list(names)[:1])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures, left_out = config.stash[_FIGURES], config.stash[_LEFT_OUT]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)
    if left_out and config.option.markexpr == marks.NO_MORE and not config.option.keyword:
        kinds = ", ".join(
            f"{left_out[name]} that take {words}" for name, words in marks.TAKES_MORE.items() if left_out[name]
        )
        terminalreporter.write_line(f"left out: {kinds}; `python -m pytest -m ''` runs them too")


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Have a line of figures printed at the end."""
    return request.config.stash[_FIGURES].append


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes a kill storm is to kill."""
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """True for long rounds of what has a short one in every run."""
    return bool(request.config.getoption("--thorough"))


_trim: Callable[[int], Any] = getattr(None if marks.WINDOWS else ctypes.CDLL(None), "malloc_trim", int)  # glibc has it


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let SIGINT be a KeyboardInterrupt also where the tests are a job in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module", autouse=True)
def trimmed() -> Iterator[None]:
    """Give memory back that is used no more: fork() copies the tables of all pages, in every test that has a child."""
    yield
    _trim(0)


_UNTIL_CLOSED = ("typedshm follows", "typedshm bridge", "typedshm replay")
"""How the names of threads begin that run until something is closed; those that serve waiters end by themselves."""

before: set[int] = set()
"""The processes that a fixture of many tests has started: nobody else leaves any from one test to the next."""
wide = ["the session"]
"""What there is of such fixtures since the system was asked for its processes, which takes a millisecond or two."""


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> None:
    if fixturedef.scope != "function":
        wide.append(fixturedef.argname)


@pytest.fixture(autouse=True)
def namespace() -> Iterator[str]:
    """Isolate the test by the environment, which its child processes inherit."""
    if wide:
        before.clear()
        before.update(children())
        wide.clear()
    try:
        with isolated() as name:
            yield name
    finally:
        left = {pid: words for pid, words in children().items() if pid not in before}
        for pid in left:  # or they would run beside every test that follows
            with contextlib.suppress(OSError):
                kill(pid)
        wide.extend(left.values())  # nobody waits for those: they are not the next test's
        running = {thread.name for thread in threading.enumerate() if thread.name.startswith(_UNTIL_CLOSED)}
    assert not running, f"threads left by the test: {running}"
    assert not left, f"processes left by the test: {list(left.values())}"
