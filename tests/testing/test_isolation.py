"""typedshm.testing: names of one's own, and no leftovers unnoticed."""

import os
from pathlib import Path

import pytest

import typedshm
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Byte
from typedshm.memory import lifecycle
from typedshm.testing import isolated
from typedshm.testing.inspection import attach_apart, handle_of


def test_inside_and_outside_do_not_see_each_other(namespace):
    with typedshm.create("byte", Byte) as outer:
        outer.write(Byte(n=1))
        with isolated() as inner_namespace, typedshm.create("byte", Byte) as inner:
            assert os.environ["TYPEDSHM_NAMESPACE"] == inner_namespace != namespace
            assert inner.version == 0
        assert os.environ["TYPEDSHM_NAMESPACE"] == namespace
        with attach_apart("byte", Byte) as same:
            assert same.read().n == 1


def test_the_environment_is_restored(monkeypatch):
    monkeypatch.delenv("TYPEDSHM_NAMESPACE")
    with isolated():
        assert "TYPEDSHM_NAMESPACE" in os.environ
    assert "TYPEDSHM_NAMESPACE" not in os.environ


def leave(action):
    with isolated():
        kept = action()
        assert [left.name for left in lifecycle.existing("user")].count("byte") == 1
        return kept


def test_what_is_left_open_is_an_error_and_removed():
    region = None

    def keep():
        nonlocal region
        region = typedshm.create("byte", Byte)
        typedshm.create("dropped", Byte)  # without close(): its end is that of the object

    with pytest.raises(AssertionError, match=r"region 'byte' of scope 'user', still open") as caught:
        leave(keep)
    assert "dropped" not in str(caught.value)
    assert marks.WINDOWS or not Path(handle_of(region).location.address).exists()  # there close() is what removes it
    region.close()


def create_and_stay(pipe):
    region = typedshm.create("byte", Byte)
    pipe.send(region.name)
    pipe.recv()


@marks.left_behind
def test_what_a_killed_process_left_is_an_error():
    def kill():
        with Child(create_and_stay) as child:
            child.receive()
            child.kill()

    with pytest.raises(AssertionError, match=r"'byte' .* left behind by a process that was killed"):
        leave(kill)


def test_an_error_inside_is_not_hidden():
    def fail():
        region = typedshm.create("byte", Byte)
        raise KeyError(region)

    with pytest.raises(KeyError) as caught:
        leave(fail)
    region = caught.value.args[0]
    assert marks.WINDOWS or not Path(handle_of(region).location.address).exists()
    region.close()
