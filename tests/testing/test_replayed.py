"""typedshm.testing.replayed: a recording as the input of a program under test."""

import helpers.recording_extra  # noqa: F401

# isort: split
import os
import textwrap
from pathlib import Path

import pytest

import typedshm
from helpers.peers import PATIENCE
from helpers.replays import channel_of, recorded, write_recording
from helpers.shared_types import Byte
from typedshm.recording import RecordingError
from typedshm.testing import replayed

CHANNEL = channel_of("byte", Byte)

pytest_plugins = ["pytester"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.mcap"
    write_recording(path, [recorded(CHANNEL, n, Byte(n=n), after=n / 100) for n in range(1, 6)])
    return path


def test_a_program_gets_what_was_recorded(file: Path) -> None:
    with replayed(file, paused=False) as player:
        player.wait()
        with typedshm.attach("byte", Byte) as region:
            assert region.read().n == 5


def test_it_is_paused_and_stepped(file: Path) -> None:
    with replayed(file) as player, typedshm.attach("byte", Byte) as region:
        assert region.version == 0
        player.step()
        assert region.read().n == 1
        player.step(3)
        assert region.read().n == 4
        player.play()
        player.wait()
        assert region.read().n == 5


def test_what_is_outside_does_not_see_it(file: Path, namespace: str) -> None:
    with typedshm.create("byte", Byte) as outside:
        with replayed(file) as player:
            assert os.environ["TYPEDSHM_NAMESPACE"] != namespace
            player.step(5)
        assert outside.version == 0
    assert os.environ["TYPEDSHM_NAMESPACE"] == namespace


def test_options_are_those_of_replay(file: Path) -> None:
    with (
        replayed(file, names={"byte": "other"}, keep_versions=True, start=0.02) as player,
        typedshm.attach("other", Byte) as region,
    ):
        player.step()
        assert region.version == 3
    with pytest.raises(RecordingError, match="no topic 'bite' to replay"), replayed(file, topics=["bite"]):
        pass


def test_a_region_that_the_program_leaves_open_is_an_error(file: Path) -> None:
    left = []

    def leave() -> None:
        with replayed(file):
            left.append(typedshm.attach("byte", Byte))

    with pytest.raises(AssertionError, match=r"region 'byte' of scope 'user', still open"):
        leave()
    left[0].close()


def test_the_error_of_the_test_is_the_one_that_is_raised(file: Path) -> None:
    def fail() -> None:
        with replayed(file):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()


def test_the_fixture_of_the_documentation(file: Path, pytester: pytest.Pytester) -> None:
    text = """
        import pytest
        import typedshm.testing
        from typedshm import Struct, u8

        class Byte(Struct):
            n: u8

        @pytest.fixture
        def player():
            with typedshm.testing.replayed({file!r}) as player:
                yield player

        def test_first(player):
            with typedshm.attach("byte", Byte) as byte:
                player.step()
                assert byte.read().n == 1

        def test_second_begins_anew(player):
            with typedshm.attach("byte", Byte) as byte:
                assert byte.version == 0
    """
    pytester.makepyfile(test_program=textwrap.dedent(text).replace("{file!r}", repr(str(file))))
    pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_program_that_follows_gets_every_version(file: Path) -> None:
    with replayed(file) as player, typedshm.attach("byte", Byte) as region:
        follower = region.follow(every=True, start="oldest", timeout=PATIENCE)
        for number in range(1, 6):
            player.step()
            assert next(follower).n == number
        follower.close()
