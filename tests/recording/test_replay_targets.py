"""What recorded versions are published to: regions and tables that are there, are not, or belong to others."""

import helpers.recording_extra  # noqa: F401

# isort: split
import os
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import typedshm
from helpers.peers import FORKS, PATIENCE, Child, quiet_fork, until
from helpers.replays import channel_of, play, recorded
from helpers.shared_types import Byte
from helpers.threads import InThread
from typedshm import Struct, UpTo, Utf8, f64


class Car(Struct):
    """A layout with text."""

    speed: f64
    name: Annotated[str, Utf8(8)] = "car"


class Lidar(Struct):
    """A layout of varying size."""

    points: Annotated[NDArray[np.float32], UpTo(100)]


CAR = channel_of("car", Car)


def cars(*numbers: int, channel=CAR) -> list[Any]:
    return [recorded(channel, number, Car(speed=number), after=number / 10) for number in numbers]


# ---- what is published ----


def test_regions_are_there_before_the_first_version_and_have_the_recorded_slots_and_layout():
    channel = channel_of("car", Car, slots=7)
    with play(cars(1, channel=channel)) as player, typedshm.attach("car", Car) as car:
        assert (car.version, car.info().slots, car.layout) == (0, 7, Car.layout)
        assert car.info().publisher == os.getpid()
        player.step()
        assert car.read() == Car(speed=1)
    assert car.closed
    assert not typedshm.regions()


def test_every_version_has_the_recorded_bytes():
    versions = [recorded(CAR, number, Car(speed=number * 1.1, name=str(number))) for number in range(1, 50)]
    with play(versions) as player, typedshm.attach("car", Car) as car:
        for number in range(1, 50):
            assert player.step() == 1
            assert bytes(car.read()) == versions[number - 1].value
            assert car.version == number


def test_topics_are_published_in_the_order_of_their_times():
    byte = channel_of("byte", Byte)
    versions = [*cars(1), recorded(byte, 1, Byte(n=1), after=0.2), *cars(3)]
    with play(versions) as player, typedshm.attach("car") as car, typedshm.attach("byte") as other:
        seen = []
        while player.step():
            seen.append((player.topic, car.version, other.version, player.position))
    assert seen == [("car", 1, 0, 0.1), ("byte", 1, 1, 0.2), ("car", 2, 1, 0.3)]


def test_bare_arrays_and_values_of_varying_size_are_published():
    frame = channel_of("frame", typedshm.array(np.uint8, 4, 3))
    lidar = channel_of("lidar", Lidar)
    picture = np.arange(12, dtype=np.uint8).reshape(4, 3)
    value = Lidar(points=np.arange(5, dtype=np.float32))
    versions = [recorded(frame, 1, picture), recorded(lidar, 1, value, after=1)]
    assert len(bytes(versions[1].value)) < Lidar.layout.size
    with play(versions) as player:
        player.step(2)
        with typedshm.attach("frame") as one, typedshm.attach("lidar", Lidar) as two:
            assert np.array_equal(one.read(), picture)
            assert two.read() == value


def test_tables_are_made_with_their_keys_and_rows():
    arms = channel_of("arms", typedshm.rows(Car, keys=["left", "right"]))
    plain = channel_of("plain", typedshm.rows(Car, 5))
    versions = [
        recorded(arms, 1, Car(speed=1), row=1),
        recorded(arms, 1, Car(speed=2), row=0),
        recorded(arms, 2, Car(speed=3), row=1),
        recorded(plain, 1, Car(speed=4), row=4),
    ]
    with play(versions) as player, typedshm.attach("arms") as table, typedshm.attach("plain") as other:
        assert (table.keys, len(other), other.keys) == (("left", "right"), 5, ())
        player.step(4)
        assert (table["left"].speed, table["right"].speed, other[4].speed) == (2, 3, 4)
        assert table.versions(...).tolist() == [1, 2]


def test_names_are_others_where_told_and_may_be_paths(tmp_path):
    byte = channel_of("byte", Byte)
    versions = [*cars(1), recorded(byte, 1, Byte(n=9), after=1)]
    path = tmp_path / "byte.region"
    with play(versions, names={"car": "car-replay", "byte": path}) as player:
        player.step(2)
        with typedshm.attach("car-replay", Car) as car:
            assert car.read().speed == 1
    with typedshm.attach(path, Byte) as other:
        assert other.read().n == 9
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("car")


def test_a_name_of_foreign_memory_becomes_that_of_a_region():
    with play(cars(1, channel=channel_of("acc/physics", Car, slots=0))) as player:
        player.step()
        with typedshm.attach("acc/physics") as region:
            assert region.read().speed == 1


# ---- what is there already ----


def test_a_region_of_the_same_layout_is_used_and_its_numbers_go_on():
    with typedshm.create("car", Car) as car:
        with play(cars(1, 2)) as player:
            player.step(2)
            assert car.version == 2
        with play(cars(1, 2)) as player:  # this process has published there, and may do so once more
            player.step(2)
            assert (car.version, car.read().speed) == (4, 2)
        car.write(Car(speed=9))  # nobody publishes exclusively any more


def publish_and_stay(pipe, exclusive, name="car"):
    with typedshm.open(name, Car, exclusive=exclusive) as car:
        car.write(Car(speed=100))
        pipe.send("ready")
        while (told := pipe.recv()) != "end":
            try:
                car.write(Car(speed=told))
                pipe.send("written")
            except (typedshm.PublisherExists, typedshm.RegionReplaced) as error:
                pipe.send(type(error).__name__)


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_name_of_a_living_publisher_is_refused_with_words(exclusive):
    with Child(publish_and_stay, exclusive) as child:
        child.expect("ready")
        with pytest.raises(typedshm.PublisherExists) as caught:
            play(cars(1))
        assert caught.value.pid == child.pid
        assert "found process" in str(caught.value) or str(child.pid) in str(caught.value)
        assert "--as car=car-replay" in str(caught.value)
        assert "take_over=True" in str(caught.value)
        with play(cars(1), names={"car": "beside"}) as player:
            player.step()
        child.send("end")


def test_taking_over_keeps_the_other_publisher_out_meanwhile():
    with Child(publish_and_stay, False) as child:
        child.expect("ready")
        with typedshm.attach("car", Car) as car:
            with play(cars(1), take_over=True) as player:
                player.step()
                assert (car.version, car.read().speed) == (2, 1)
                child.send(7)
                child.expect("PublisherExists")
            child.send(8)
            child.expect("written")
            assert car.read().speed == 8
        child.send("end")


def test_taking_over_from_an_exclusive_publisher_makes_the_region_anew():
    with Child(publish_and_stay, True) as child:
        child.expect("ready")
        with typedshm.attach("car", Car) as old, play(cars(1), take_over=True) as player:
            player.step()
            with typedshm.attach("car", Car) as car:
                assert (car.version, car.read().speed) == (1, 1)
                assert car.instance != old.instance
            assert old.read().speed == 100
        child.send("end")


def publish_rows_and_stay(pipe):
    with typedshm.open("arms", typedshm.rows(Car, 2)) as arms:
        arms[0] = Car(speed=100)
        pipe.send("ready")
        pipe.recv()


def test_a_table_that_another_process_writes_is_refused_unless_taken_over():
    arms = channel_of("arms", typedshm.rows(Car, 2))
    versions = [recorded(arms, 1, Car(speed=5), row=1)]
    with Child(publish_rows_and_stay) as child:
        child.expect("ready")
        with pytest.raises(typedshm.PublisherExists, match=r"^table 'arms': expected nobody else to publish"):
            play(versions)
        with play(versions, take_over=True) as player, typedshm.attach("arms") as table:
            player.step()
            assert [table[0].speed, table[1].speed] == [100, 5]
        child.send("end")


def test_another_layout_is_refused_with_the_difference():
    with typedshm.create("car", Byte), pytest.raises(typedshm.LayoutMismatch) as caught:
        play(cars(1))
    text = str(caught.value)
    assert "region 'car' has another layout than the recorded 'car' (recorded | found):" in text
    assert "speed" in text
    assert "--as car=car-replay" in text


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (Car, r"region 'arms' is no table, other than the recorded 'arms'"),
        (typedshm.rows(Car, 3), r"table 'arms' has 3 rows, the recorded 'arms' has 2"),
        (typedshm.rows(Byte, 2), r"table 'arms' has another layout than the recorded 'arms'"),
        (typedshm.rows(Car, keys=["a", "b"]), r"has other keys than .* expected none, found \['a', 'b'\]"),
    ],
)
def test_a_table_of_another_form_is_refused(there, words):
    arms = channel_of("arms", typedshm.rows(Car, 2))
    with typedshm.create("arms", there), pytest.raises(typedshm.LayoutMismatch, match=words):
        play([recorded(arms, 1, Car(speed=5), row=1)])


def test_other_slots_are_told_and_used():
    with typedshm.create("car", Car, slots=5) as car:
        with pytest.warns(typedshm.RegionWarning, match=r"expected slots=3, found 5"):
            player = play(cars(1))
        with player:
            player.step()
            assert car.version == 1


def test_nothing_is_left_open_if_the_second_topic_is_refused():
    byte = channel_of("byte", Byte)
    with typedshm.create("byte", Car), pytest.raises(typedshm.LayoutMismatch) as caught:
        play([*cars(1), recorded(byte, 1, Byte(n=1))])
    assert caught.value.__traceback__ is not None  # which keeps what was made
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("car")


# ---- lossless regions ----


def test_a_lossless_region_waits_for_its_followers():
    channel = channel_of("car", Car, slots=2, lossless=True)
    with play(cars(*range(1, 101), channel=channel)) as player, typedshm.attach("car", Car) as car:
        assert car.lossless
        with car.follow(lossless=True, timeout=PATIENCE) as follower:
            player.play()
            seen = [next(follower).speed for _ in range(100)]
            player.wait(timeout=PATIENCE)
    assert seen == list(range(1, 101))


def test_a_follower_that_stays_behind_ends_the_replay_after_the_timeout():
    channel = channel_of("car", Car, slots=2, lossless=True)
    with (
        pytest.raises(typedshm.FollowerBehind),
        play(cars(1, 2, 3, 4, channel=channel), timeout=0) as player,
        typedshm.attach("car", Car) as car,
        car.follow(lossless=True),
    ):
        player.step(4)
    assert player.published < 4


def test_pausing_and_closing_need_not_wait_for_a_follower_that_stays_behind():
    channel = channel_of("car", Car, slots=2, lossless=True)
    with (
        play(cars(1, 2, 3, 4, channel=channel)) as player,
        typedshm.attach("car", Car) as car,
        car.follow(lossless=True, timeout=PATIENCE) as follower,
    ):
        stepping = InThread(player.step, 4)
        until(lambda: is_stuck(car))
        player.pause()
        published = stepping.result()
        assert published == player.published < 4
        assert player.state == "paused"
        assert [next(follower).speed for _ in range(published)] == list(range(1, published + 1))
        follower.done()
        assert player.step() == 1
        assert next(follower).speed == published + 1
        player.play()
        until(lambda: is_stuck(car))
        player.close()


def is_stuck(region) -> bool:
    """Whether there is no room for another version until a follower gets on."""
    return any(info.behind >= region.info().slots for info in region.info().followers)


# ---- a region that was replaced while it was recorded ----


def test_a_region_is_made_anew_where_it_was_replaced():
    first, second = channel_of("car", Byte, instance="a" * 16), channel_of("car", Car, instance="b" * 16)
    versions = [
        recorded(first, 1, Byte(n=1)),
        recorded(first, 2, Byte(n=2), after=1),
        *[recorded(second, number, Car(speed=number), after=number + 1) for number in (1, 2)],
    ]
    with play(versions) as player:
        with typedshm.attach("car") as old:
            player.step(2)
            assert old.read().n == 2
            player.step()
            assert old.info().replaced
        with typedshm.attach("car", Car) as car:
            assert (car.version, car.read().speed) == (1, 1)


def test_followers_that_reattach_go_on_where_the_region_was_replaced():
    first, second = channel_of("car", Car, instance="a" * 16), channel_of("car", Car, instance="b" * 16)
    versions = [*cars(1, 2, channel=first), *cars(3, 4, channel=second)]
    with (
        play(versions) as player,
        typedshm.attach("car", Car) as car,
        car.follow(every=True, reattach=True, start="oldest", timeout=PATIENCE) as follower,
    ):
        seen = []
        for _ in range(4):
            player.step()
            seen.append(next(follower).speed)
        assert follower.reattached == 1
    assert seen == [1, 2, 3, 4]


def test_a_table_may_take_the_place_of_a_region():
    arms = channel_of("car", typedshm.rows(Car, 2))
    with play([*cars(1), recorded(arms, 1, Car(speed=5), row=1)]) as player:
        player.step(2)
        with typedshm.attach("car") as table:
            assert isinstance(table, typedshm.Table)
            assert table[1].speed == 5


def test_parts_of_one_recording_are_one_region():
    again = channel_of("car", Car)
    assert again is not CAR
    with play([*cars(1), *cars(2, channel=again)]) as player, typedshm.attach("car") as car:
        player.step(2)
        assert (car.version, car.info().replaced) == (2, False)


# ---- endings ----


def test_a_region_that_is_removed_meanwhile_ends_the_replay_with_words():
    with play(cars(1, 2), loop=True) as player:
        player.step()
        typedshm.unlink("car")
        with typedshm.create("car", Car) as other:
            with pytest.raises(typedshm.RegionReplaced):
                player.step(10**9)  # the name is looked at every 100 ms
            assert other.version == 0
        assert player.state == "failed"
        with pytest.raises(typedshm.RegionReplaced):
            player.wait()


def test_closing_while_it_plays_leaves_the_regions():
    with play(cars(*range(1, 1000)), speed=1.0, paused=False) as player:
        assert player.state == "playing"
    assert player.closed
    assert not typedshm.regions()


def test_closing_by_two_threads_at_once_is_closing():
    player = play(cars(1, 2))
    threads = [InThread(player.close) for _ in range(4)]
    for thread in threads:
        thread.result()
    assert player.closed


@pytest.mark.skipif(not FORKS, reason="there is no fork")
def test_a_child_of_a_fork_has_a_closed_player_and_the_parent_goes_on():
    with play(cars(1, 2, 3)) as player, typedshm.attach("car", Car) as car:
        player.step()
        pid = quiet_fork()
        if not pid:
            status = 1
            try:
                assert player.closed
                assert player.published == 1
                assert player.position == 0.1
                assert player.lateness.count == 0
                try:
                    player.step()
                except typedshm.Closed:
                    player.close()
                    status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        player.step()
        assert car.version == 2


def test_a_player_shows_what_it_does_and_cannot_be_pickled():
    import pickle

    with play(cars(1, 2)) as player:
        player.step()
        assert repr(player) == "<Player of recording 'fake.mcap', paused, 1 versions published>"
        with pytest.raises(TypeError, match="belongs to its process"):
            pickle.dumps(player)
    assert "closed" in repr(player)
