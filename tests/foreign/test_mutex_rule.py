"""The rule of a named mutex, for real: on Windows, between two processes that take the same one."""

import contextlib
import secrets
import sys
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.peers import Child
from helpers.programs import report
from typedshm import NamedMutex, RawSection, Shape, Struct, foreign, u32

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="only Windows has mutexes that programs know by name")

READS, NAIVE = 100, 5_000


class Words(Struct):
    tick: u32
    words: Annotated[NDArray[np.uint32], Shape(1 << 16)]


def rule_of(mutex: str) -> foreign.Mutex:
    return foreign.Mutex(mutex, tick="tick")


def publish(pipe, name: str, mutex: str) -> None:
    """Publish under the mutex until something is sent."""
    with (
        contextlib.closing(NamedMutex(mutex, exact=True)),
        foreign.Publisher(name, Words, consistent=rule_of(mutex)) as program,
    ):
        value = Words.zero()
        number = 1
        value.words[:] = number
        program.write(value)
        pipe.send("published")
        while not pipe.poll(0.0001):  # a mutex is not fair: whoever never rests keeps it
            number += 1
            value.words[:] = number
            program.write(value)


def is_torn(words: NDArray[np.uint32]) -> bool:
    return bool((words != words[0]).any())


def test_a_copy_under_the_mutex_is_whole() -> None:
    name, mutex = (f"Local\\typedshm-test-{kind}-{secrets.token_hex(6)}" for kind in ("words", "mutex"))
    with Child(publish, name, mutex) as child:
        child.expect("published")
        with RawSection(name) as section, foreign.attach(name, Words, consistent=rule_of(mutex)) as region:
            copies = (np.frombuffer(bytes(section.view[: Words.layout.size]), np.uint32)[1:] for _ in range(NAIVE))
            naive = sum(map(is_torn, copies))
            torn = sum(is_torn(region.read().words) for _ in range(READS))
            info = region.info()
        child.send("enough")
    report(
        "mutex",
        "of Windows",
        f"naive {naive} of {NAIVE:,} torn, by the rule {torn} of {READS}",
        kind="torn",
    )
    assert torn == 0
    assert info.guarded is True


def test_without_the_mutex_copies_are_not_certain() -> None:
    name, mutex = (f"Local\\typedshm-test-{kind}-{secrets.token_hex(6)}" for kind in ("words", "mutex"))
    with (
        foreign.Publisher(name, Words, consistent=foreign.Still("tick")) as program,
        foreign.attach(name, Words, consistent=rule_of(mutex)) as region,
    ):
        program.write(Words(words=np.full(1 << 16, 7, np.uint32), tick=0))
        assert region.read().words[0] == 7
        assert region.info().guarded is False
        assert not region.info().certain
