"""memory.fork: what is called around a fork, and in which order."""

import os
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.peers import quiet_fork, run_script
from typedshm.memory import fork

ORDER = ("attachments", "waitsets", "workers", "slots", "recorders")

Calls = list[tuple[str, str]]
"""(moment, name) of each hook that was called."""


def add_noting_hooks(name: str, calls: Calls) -> None:
    fork.add_hooks(
        name,
        before=lambda: calls.append(("before", name)),
        in_parent=lambda: calls.append(("in parent", name)),
        in_child=lambda: calls.append(("in child", name)),
    )


def expected(moment: str) -> Calls:
    """All calls of a fork, in the parent or in the child."""
    return [*(("before", name) for name in reversed(ORDER)), *((moment, name) for name in ORDER)]


@pytest.fixture
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test, the package has none."""
    for table in ("_before", "_in_parent", "_in_child"):
        monkeypatch.setattr(fork, table, {})


def test_each_name_has_hooks_once_the_package_is_imported() -> None:
    assert fork.ORDER == ORDER
    assert fork._before.keys() == fork._in_parent.keys() == fork._in_child.keys()
    without = {"recorders"} | ({"attachments"} if marks.WINDOWS else set())  # recordings are no part of the import
    assert fork._in_child.keys() - {"recorders"} == set(ORDER) - without


@marks.fork
@pytest.mark.usefixtures("no_hooks")
def test_hooks_are_called_in_the_written_order_and_before_the_fork_in_reverse() -> None:
    calls: Calls = []
    for name in ("slots", "recorders", "workers", "attachments", "waitsets"):  # however they were imported
        add_noting_hooks(name, calls)
    pid = quiet_fork()
    if pid == 0:
        os._exit(0 if calls == expected("in child") else 1)
    assert os.waitpid(pid, 0)[1] == 0, "in the child"
    assert calls == expected("in parent")


@pytest.mark.usefixtures("no_hooks")
def test_a_name_without_hooks_is_passed_over() -> None:
    calls: Calls = []
    add_noting_hooks("waitsets", calls)
    fork.before_fork()
    fork.after_fork_in_parent()
    assert calls == [("before", "waitsets"), ("in parent", "waitsets")]


class Interruption(BaseException):
    """What a signal handler may raise."""


@pytest.mark.usefixtures("no_hooks")
@pytest.mark.parametrize("failing", ORDER)
@pytest.mark.parametrize("error", [ValueError, Interruption])
def test_an_exception_of_one_hook_does_not_keep_the_others_from_running(
    error: type[BaseException], failing: str
) -> None:
    calls: Calls = []

    def fail() -> None:
        raise error(failing)

    for name in ORDER:
        if name == failing:
            fork.add_hooks(name, before=fail, in_parent=fail, in_child=fail)
        else:
            add_noting_hooks(name, calls)
    for function, moment, order in (
        (fork.before_fork, "before", ORDER[::-1]),
        (fork.after_fork_in_parent, "in parent", ORDER),
        (fork.after_fork_in_child, "in child", ORDER),
    ):
        calls.clear()
        with pytest.raises(error, match=failing):
            function()
        assert calls == [(moment, name) for name in order if name != failing]


@pytest.mark.usefixtures("no_hooks")
def test_of_several_exceptions_the_first_is_raised() -> None:
    def failing(name: str) -> fork.Hook:
        def fail() -> None:
            raise ValueError(name)

        return fail

    for name in ORDER:
        fork.add_hooks(name, before=failing(name), in_parent=failing(name))
    with pytest.raises(ValueError, match=ORDER[-1]):
        fork.before_fork()
    with pytest.raises(ValueError, match=ORDER[0]):
        fork.after_fork_in_parent()


@pytest.mark.usefixtures("no_hooks")
def test_a_name_that_is_unknown_or_has_hooks_already_is_refused() -> None:
    calls: Calls = []
    add_noting_hooks("slots", calls)
    for name in ("slots", "pins", ""):
        with pytest.raises(ValueError, match=rf"fork hooks '{name}': expected a name of .*attachments"):
            fork.add_hooks(name, before=lambda: calls.append(("before", "the second")))
    fork.before_fork()
    assert calls == [("before", "slots")]


def test_one_module_registers_with_python() -> None:
    package = Path(typedshm.__file__).parent
    files = {file: file.read_text(encoding="utf-8").count("os.register_at_fork(") for file in package.rglob("*.py")}
    assert {file.relative_to(package).as_posix(): count for file, count in files.items() if count} == {
        "memory/fork.py": 1
    }


# ---- why there is an order ------------------------------------------------------------------------------------------

BORROWER_FORKS = """
import os
import numpy as np
import typedshm
from typedshm.memory import fork, lifecycle
from typedshm.testing.inspection import attach_apart

fork.ORDER = tuple({order!r})
lifecycle.OPEN_TIMEOUT = {patience!r}
region = typedshm.create("pictures", typedshm.array("u1", 8), slots=4)
region.write(np.ones(8, np.uint8))
with region.borrow() as picture:
    kept = picture
region.close()  # from here on the region is open for the array only
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(writing)
    os.read(reading, 1)
    os._exit(0 if (kept == 1).all() else 1)
try:
    with attach_apart("pictures") as other:
        print("attached", other.read().tolist() == [1] * 8)
except (typedshm.Timeout, typedshm.RegionNotFound) as error:
    print(type(error).__name__)
finally:
    os.close(writing)
    print("child", os.waitpid(pid, 0)[1])
"""


def forked_borrower(order: tuple[str, ...], patience: float) -> list[str]:
    """Fork a process whose arrays keep a region open, then attach to the region while the child lives."""
    done = run_script(BORROWER_FORKS.format(order=order, patience=patience))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@marks.fork
def test_a_forked_child_of_a_borrower_leaves_its_parents_region_attachable() -> None:
    assert forked_borrower(ORDER, patience=10) == ["attached True", "child 0"]


@marks.fork
def test_in_the_reverse_order_it_does_not() -> None:
    """The child would leave the region by its parent's descriptor, whose locks it shares."""
    result, _ = forked_borrower(ORDER[::-1], patience=0.2)
    assert result in ("Timeout", "RegionNotFound")
