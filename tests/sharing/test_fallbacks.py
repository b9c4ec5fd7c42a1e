"""fallbacks(): what is done in another way here, and why."""

import errno
import sys

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers.peers import run_script
from helpers.seccomp import FUTEX_WAITV, run_without
from typedshm.sharing.fallbacks import missing_calls, other


def test_whatever_the_core_finds_missing_has_words() -> None:
    listed = typedshm.fallbacks()
    assert len(listed) >= len(_native.missing())
    for fallback in listed:
        assert fallback.what
        assert fallback.why
        assert fallback.effect


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack something everywhere")
def test_a_linux_of_today_lacks_nothing() -> None:
    if _native.missing():
        pytest.skip("this one does")
    done = run_script("import typedshm; print(typedshm.fallbacks())")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_regions_that_may_only_be_read_are_listed_while_they_are_open() -> None:
    with typedshm.share("a", np.zeros(3)), typedshm.attach("a", readonly=True):
        (fallback,) = (each for each in typedshm.fallbacks() if "region 'a'" in each.what)
        assert fallback.what == "being woken by the writers of region 'a'"
        assert "for reading only" in fallback.why
        assert "every 2 ms" in fallback.effect
    assert not any("region 'a'" in each.what for each in typedshm.fallbacks())


@pytest.mark.skipif(sys.platform != "linux", reason="futex_waitv is Linux's")
@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_a_forbidden_futex_waitv_is_told(error: str) -> None:
    script = """
import typedshm
print(*typedshm.fallbacks(), sep="\\n")
"""
    done = run_without(FUTEX_WAITV, error, script)
    assert "sleeping on several regions at once" in done.stdout, done.stderr
    assert error in done.stdout or "came with 5.16" in done.stdout
    assert "looks every 2 ms" in done.stdout


@pytest.mark.parametrize(
    ("release", "why"),
    [
        ("5.15.0-91-generic", "Linux 5.15.0-91-generic has no futex_waitv, which came with 5.16"),
        ("4.4.0", "Linux 4.4.0 has no futex_waitv, which came with 5.16"),
        ("5.16.0", "Linux 5.16.0 has futex_waitv, but refuses it (ENOSYS): a seccomp filter forbids it"),
        ("6.1-rc3+", "Linux 6.1-rc3+ has futex_waitv, but refuses it"),
    ],
)
def test_an_old_kernel_is_told_from_one_that_refuses(release: str, why: str) -> None:
    (fallback,) = missing_calls("linux", release, {"wait for several": errno.ENOSYS})
    assert fallback.why.startswith(why)


@pytest.mark.parametrize(
    ("system", "what", "why"),
    [
        ("darwin", "wait", "since 14.4"),
        ("darwin", "wait for several", "macOS has no such call"),
        ("darwin", "map pages ahead", "macOS has no such call"),
        ("win32", "wait for threads", "since Windows 8"),
        ("win32", "map pages ahead", "Windows has no such call"),
        ("win32", "fine timers", "since Windows 10 1803"),
        ("linux", "map pages ahead", "Linux 5.10 has no MADV_POPULATE_READ, which came with 5.14"),
    ],
)
def test_every_system_has_reasons_of_its_own(system: str, what: str, why: str) -> None:
    (fallback,) = missing_calls(system, "5.10", {what: 22})
    assert why in fallback.why


def test_what_is_no_call_of_the_system_is_told_too() -> None:
    assert [each.what for each in other([], has_blake2=False, has_proc=False)] == ["the module _blake2", "/proc"]
    assert list(other([], has_blake2=True, has_proc=True)) == []
