"""follow(group=...): each version to one member."""

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import typedshm
from helpers.loops import LOOPS, loop_of
from helpers.peers import Child, until
from helpers.shared_types import Record, record
from helpers.wire import GROUP, MEMBER, Wire


@pytest.fixture
def region() -> Iterator[typedshm.Region[Record]]:
    with typedshm.create("work", Record, slots=64, lossless=True) as region:
        region.timeout = 60
        yield region


def write(region: typedshm.Region[Record], *numbers: int) -> None:
    for n in numbers:
        region.write(record(n))


def places(wire: Wire, role: int) -> list[Any]:
    found = (wire.lossless.places[i] for i in range(48) if wire.control.followers >> i & 1)
    return [place for place in found if place.role & 0xFFFFFFFF == role]


def test_each_version_goes_to_one_member(region: typedshm.Region[Record]) -> None:
    first, second = region.follow(group="workers"), region.follow(group="workers")
    write(region, *range(1, 7))
    got = [follower.poll() for follower in (first, second, second, first)]
    assert [t.a for t in got if t is not None] == [1, 2, 3, 4]
    assert (first.pending, second.pending) == (2, 2)
    assert [t.a for t in first.drain()] == [5], "a member has one at a time"
    assert (next(second).a, second.poll(), first.poll()) == (6, None, None)
    assert (first.dropped, second.dropped, first.version, second.version) == (0, 0, 5, 6)


def test_groups_and_others_do_not_know_of_each_other(region: typedshm.Region[Record]) -> None:
    followers = [region.follow(group="a"), region.follow(group="b"), region.follow(lossless=True)]
    write(region, 1, 2)
    assert [[next(follower).a for _ in range(2)] for follower in followers] == [[1, 2]] * 3


def test_what_holds_writers_is_the_oldest_that_a_member_has(region: typedshm.Region[Record]) -> None:
    with Wire("work") as wire:
        first, second = region.follow(group="workers"), region.follow(group="workers")
        write(region, 1, 2, 3)
        assert (next(first).a, next(second).a) == (1, 2)
        (group,), (one, two) = places(wire, GROUP), places(wire, MEMBER)
        assert (group.position, one.position, two.position) == (2, 1, 2)
        first.done()
        assert (one.position, two.position) == (0, 2)
        second.close()
        assert (two.position, two.owner) == (0, 0)
        assert next(first).a == 3
        assert (group.position, one.position) == (3, 3)


def test_members_agree(region: typedshm.Region[Record]) -> None:
    member = region.follow(group="workers", redeliver=True, keep=2)
    others: list[dict[str, Any]] = [{}, {"redeliver": True}, {"keep": 2}]
    for options in others:
        with pytest.raises(ValueError, match=r"members of the group 'workers' with redeliver=True"):
            region.follow(group="workers", **options)
    region.follow(group="workers", redeliver=True, keep=2).close()
    member.close()
    region.follow(group="workers").close()  # nobody was there who had said otherwise


def test_the_group_goes_on_where_it_was(region: typedshm.Region[Record]) -> None:
    with region.follow(group="workers", start="next") as member:
        write(region, 1, 2, 3)
        assert next(member).a == 1
    with region.follow(group="workers", start="next") as member:
        assert [next(member).a for _ in range(2)] == [2, 3]


@pytest.mark.parametrize("start", ["oldest", 2, "next"])
def test_the_first_member_says_where_it_starts(region: typedshm.Region[Record], start: Any) -> None:
    write(region, 1, 2, 3)
    first = region.follow(group="workers", start=start)
    second = region.follow(group="workers", start="oldest")
    write(region, 4)
    begin = {"oldest": 1, "next": 4}.get(start, start)
    got: list[int] = []
    while (value := second.poll()) is not None:
        got.append(value.a)
    assert (got, first.poll()) == (list(range(begin, 5)), None)


def take_and_die(pipe: Any, redeliver: bool) -> None:
    region = typedshm.attach("work", Record)
    member = region.follow(group="workers", redeliver=redeliver, timeout=60)
    pipe.send("there")
    pipe.send(next(member).a)
    pipe.recv()


def test_what_a_dead_member_had_is_handed_out_again(region: typedshm.Region[Record]) -> None:
    with Child(take_and_die, True) as child:
        child.expect("there")
        member = region.follow(group="workers", redeliver=True)
        write(region, 1)
        assert child.receive() == 1
        write(region, 2, 3)
        assert next(member).a == 2
        child.kill()
    got = [next(member).a for _ in range(2)]
    assert sorted(got) == [1, 3]
    assert member.poll() is None
    (group,) = [info for info in region.info().followers if info.kind == "group"]
    assert (group.lost, group.behind, group.redeliver) == (0, 0, True)


def test_it_is_found_while_nothing_new_is_published(region: typedshm.Region[Record]) -> None:
    with Child(take_and_die, True) as child:
        child.expect("there")
        write(region, 1)
        assert child.receive() == 1
        got: list[int] = []
        waiting = threading.Thread(
            target=lambda: got.append(next(region.follow(group="workers", redeliver=True, timeout=60)).a)
        )
        waiting.start()
        until(lambda: len([info for info in region.info().followers if info.kind == "member"]) == 2)
        child.kill()
    waiting.join()
    assert got == [1]


def test_without_redelivery_nobody_gets_it(region: typedshm.Region[Record]) -> None:
    with Child(take_and_die, False) as child:
        child.expect("there")
        member = region.follow(group="workers")
        write(region, 1)
        assert child.receive() == 1
        write(region, 2)
        child.kill()
    assert (next(member).a, member.poll()) == (2, None)

    def lost() -> int:
        return next(info.lost for info in region.info().followers if info.kind == "group")

    assert lost() == 1  # though no writer has asked for room yet
    for n in range(2 * region.info().slots):  # of which some ask for the slot of what was lost
        write(region, n)
        assert next(member).a == n
    assert lost() == 1


def test_what_the_last_member_had_is_not_lost_before_another_says_so(region: typedshm.Region[Record]) -> None:
    with Child(take_and_die, False) as child:
        child.expect("there")
        write(region, 1)
        assert child.receive() == 1
        child.kill()
    (group, _) = region.info().followers
    assert (group.kind, group.lost) == ("group", 0)
    member = region.follow(group="workers", redeliver=True)
    assert (next(member).a, region.info().followers[0].lost) == (1, 0)


def test_a_member_that_left_by_an_error_hands_back_what_it_had(region: typedshm.Region[Record]) -> None:
    def work() -> None:
        with region.follow(group="workers", redeliver=True) as member:
            assert next(member).a == 1
            raise KeyError

    other = region.follow(group="workers", redeliver=True)
    write(region, 1, 2)
    with pytest.raises(KeyError):
        work()
    assert sorted(next(other).a for _ in range(2)) == [1, 2]


def work_off(pipe: Any, last: int) -> None:
    with typedshm.attach("work", Record) as region:
        member, got = region.follow(group="workers", redeliver=True, timeout=60), []
        pipe.send("there")
        for t in member:
            if t.a >= last:
                break
            got.append(t.a)
        member.close()
        pipe.send(got)


def test_members_in_several_processes_and_threads_share_all(region: typedshm.Region[Record]) -> None:
    members, total = 3, 500  # more than the region has slots: writers wait
    with Child(work_off, total) as one, Child(work_off, total) as two, Child(work_off, total) as three:
        for child in (one, two, three):
            child.expect("there")
        write(region, *range(1, total))
        write(region, *range(total, total + members))
        got = [child.receive() for child in (one, two, three)]
    assert sorted(itertools.chain.from_iterable(got)) == list(range(1, total))


def test_threads_of_a_process_share_all(region: typedshm.Region[Record]) -> None:
    got: list[list[int]] = [[] for _ in range(4)]
    members = [region.follow(group="workers") for _ in got]

    def work(member: Any, mine: list[int]) -> None:
        for t in member:
            if t.a > 40:
                return
            mine.append(t.a)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(members, got, strict=True)]
    for thread in threads:
        thread.start()
    write(region, *range(1, 45))
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain.from_iterable(got)) == list(range(1, 41))


@pytest.mark.parametrize("loop", LOOPS)
def test_coroutines_are_members_too(loop: str) -> None:
    events = loop_of(loop)

    async def main() -> None:
        with typedshm.create("work", Record, slots=64, lossless=True) as region:
            got: list[int] = []

            async def work() -> None:
                async for t in region.follow(group="workers", start="oldest", timeout=60):
                    got.append(t.a)

            async def publish() -> None:
                write(region, *range(1, 31))
                await events.until(lambda: len(got) == 30)
                region.close()

            await events.together(work, work, publish)
            assert sorted(got) == list(range(1, 31))

    events.run(main)


def test_a_borrowed_version_is_the_members_own(region: typedshm.Region[Record]) -> None:
    first, second = (region.follow(group="workers", borrow=True) for _ in range(2))
    write(region, 1, 2)
    one, two = next(first), next(second)
    assert (one.a, two.a, region.info().pinned, region.info().copies) == (1, 2, 2, 0)
    first.close()
    with pytest.raises(typedshm.Closed):
        _ = one.a
    assert two.a == 2


def test_a_dead_holder_of_the_groups_lock_is_taken_over(region: typedshm.Region[Record]) -> None:
    with Wire("work") as wire:
        member = region.follow(group="workers")
        (group,), (mine,) = places(wire, GROUP), places(wire, MEMBER)
        write(region, 1, 2)
        dead = 500  # an entry that nobody has
        group.owner = dead + 1
        assert mine.position == 0
        assert (next(member).a, group.owner) == (1, 0)


def test_info_lists_group_and_members(region: typedshm.Region[Record]) -> None:
    members = [region.follow(group="workers") for _ in range(2)]
    write(region, 1, 2, 3)
    next(members[0])
    infos = region.info().followers
    assert sorted((info.kind, info.name, info.behind) for info in infos) == [
        ("group", "workers", 2),
        ("member", "workers", 0),
        ("member", "workers", 1),
    ]
    assert {info.process for info in infos} == {None, os.getpid()}


def test_a_group_is_joined_where_all_places_have_had_somebody(region: typedshm.Region[Record]) -> None:
    """What nobody has is given up for it, also the group itself, which nobody has any more."""
    region.follow(group="workers", keep=0).close()
    for _ in range(46):
        region.follow(lossless=True).close()
    with region.follow(group="workers", keep=0) as follower:
        write(region, 1)
        assert next(follower).a == 1
