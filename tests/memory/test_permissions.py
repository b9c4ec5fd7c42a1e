"""Who may do what: the owner alone unless asked otherwise, and what another user can and cannot do to a region."""

import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import Child
from helpers.shared_types import Byte, Car, whole
from helpers.wire import WORD_ACQUISITION, Wire
from typedshm.memory import lifecycle
from typedshm.memory.names import directory, locate
from typedshm.testing.inspection import attach_apart

pytestmark = marks.permission_bits

ALICE, BOB, FRIENDS = 54321, 54322, 54300
"""Two users, and a group that both are in if a test says so."""


def mode_of(name: "str | Path", scope: Any = "user") -> int:
    return stat.S_IMODE(Path(locate(name, scope).address).stat().st_mode)


# ---- modes ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request, tmp_path):  # which is there before it, or only root could look into it
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_modes_and_scopes_whatever_the_umask_says(tmp_path):
    with typedshm.create("car", Car), typedshm.create("car", Car, scope="machine") as both:
        assert mode_of("car") == 0o600
        assert mode_of("car", "machine") == 0o644
        assert both.info().scope == "machine"
        both.write(whole(1))
        with typedshm.attach("car", Car, scope="machine", readonly=True) as reader:
            assert reader.read() == whole(1)
            assert pickle.loads(pickle.dumps(reader)).read() == whole(1)
    with typedshm.create("car", Car, mode=0o640):
        assert mode_of("car") == 0o640
    for mode in (0o600, 0o640, 0o660, 0o664, 0o666):
        with typedshm.create("car", Car, scope="machine", mode=mode):
            assert mode_of("car", "machine") == mode
        with typedshm.open("car", Car, scope="machine", mode=mode):
            assert mode_of("car", "machine") == mode
    with typedshm.create(tmp_path / "car", Car), typedshm.create(tmp_path / "shared", Car, scope="machine", mode=0o666):
        assert mode_of(tmp_path / "car") == 0o600
        assert mode_of(tmp_path / "shared") == 0o666
    for guard, scope, mode in (("guard", "user", 0o600), ("guard", "machine", 0o666)):
        with typedshm.NamedMutex(guard, scope=scope):
            assert stat.S_IMODE(Path(locate(guard, scope, kind="mutex").address).stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o622, 0o602, 0o660, 0o666])
def test_others_may_not_write_to_what_is_the_users(mode):
    with pytest.raises(ValueError, match=rf"mode {mode:#o} lets other users write; that requires scope='machine'"):
        typedshm.create("car", Car, mode=mode)


def test_an_unknown_scope():
    with pytest.raises(ValueError, match="expected 'user' or 'machine', found 'all'"):
        typedshm.create("car", Car, scope="all")


def test_a_file_without_write_permission_is_mapped_for_reading_only(tmp_path):
    path = tmp_path / "car"
    with typedshm.create(path, Car) as car:
        car.write(whole(1))
    del car  # and with it the mapping that may be written to
    path.chmod(0o400)
    with typedshm.attach(path, Car, readonly=True) as reader:
        assert reader.read() == whole(1)
        line = next(line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line)
        assert line.split()[1].startswith("r--s")


# ---- two users -----------------------------------------------------------------------------------------------------


def become(user: int, groups: "list[int] | None" = None) -> None:
    os.setgroups(groups or [])
    os.setgid(user)
    os.setuid(user)


def run_as(
    pipe: Any, user: int, groups: "list[int] | None", function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    become(user, groups)
    return function(pipe, *args)


def user(who: int, function: Callable[..., Any], *args: Any, groups: "list[int] | None" = None) -> Child:
    """A child that is another user."""
    return Child(run_as, who, groups, function, args)


def hold(pipe: Any, **how: Any) -> None:
    """Make a region of one's own with something in it, and keep it until told."""
    with typedshm.create("car", Car, **how) as car:
        car.write(whole(1))
        pipe.send("made")
        while (message := pipe.recv()) is not None:
            car.write(whole(message))
            pipe.send("written")
        assert car.read().tick < 1000, "what nobody else could have written"


def hold_privately(pipe: Any) -> None:
    hold(pipe)


def hold_for_all(pipe: Any, mode: int) -> None:
    hold(pipe, scope="machine", mode=mode)


def refused(verbs: "dict[str, Callable[[], Any]]", expected: type[Exception]) -> None:
    for name, verb in verbs.items():
        try:
            verb()
        except expected:
            continue
        raise AssertionError(f"{name} was not refused")


def openers(scope: Any = "user") -> "dict[str, Callable[[], Any]]":
    return {
        "attach": lambda: typedshm.attach("car", Car, scope=scope),
        "attach to read": lambda: typedshm.attach("car", Car, scope=scope, readonly=True),
        "attach without a class": lambda: typedshm.attach("car", scope=scope),
        "create": lambda: typedshm.create("car", Car, scope=scope),
        "open": lambda: typedshm.open("car", Car, scope=scope),
        "unlink": lambda: typedshm.unlink("car", scope=scope),
    }


def touch_everything(pipe: Any, path: Path) -> None:
    """What another user might try on a file that is not theirs and does not let them write."""
    tries: dict[str, Callable[[], Any]] = {
        "open to write": lambda: os.open(path, os.O_RDWR),
        "truncate": lambda: os.truncate(path, 0),
        "unlink": lambda: os.unlink(path),
        "rename": lambda: os.rename(path, path.with_name("taken")),
        "replace": lambda: os.replace(locate("mine").address, path),
        "chmod": lambda: os.chmod(path, 0o666),
        "utime": lambda: os.utime(path, (0, 0)),
    }
    Path(locate("mine").address).touch()
    try:
        refused(tries, PermissionError)
        if not stat.S_IMODE(path.stat().st_mode) & 0o044:
            refused({"open to read": lambda: os.open(path, os.O_RDONLY)}, PermissionError)
    finally:
        Path(locate("mine").address).unlink()


@marks.root
@pytest.mark.parametrize(("owner", "stranger"), [(ALICE, BOB), (BOB, ALICE), (0, ALICE)])
def test_what_is_the_users_is_nobody_elses(owner, stranger):
    """The name alone is another one for everybody, and the file behind it is closed to them too."""
    with user(owner, hold_privately) as holding:
        holding.expect("made")
        path = Path(directory("user")) / Path(locate("car").address).name.replace(f"-u{os.geteuid()}-", f"-u{owner}-")
        assert path.stat().st_uid == owner
        with user(stranger, touch_everything, path):
            pass
        with user(stranger, find_nothing):
            pass
        with user(stranger, be_refused_the_path, path):
            pass
        holding.send(None)
    assert not path.exists()


def find_nothing(pipe: Any) -> None:
    assert typedshm.regions() == []
    with pytest.raises(typedshm.RegionNotFound):
        typedshm.attach("car", Car)
    with typedshm.create("car", Car) as mine:  # of the same name, and another
        assert mine.version == 0


def be_refused_the_path(pipe: Any, path: Path) -> None:
    hint = "; readonly=True may be"
    verbs: dict[str, Callable[[], Any]] = {
        "attach": lambda: typedshm.attach(path, Car),
        "attach to read": lambda: typedshm.attach(path, Car, readonly=True),
        "open": lambda: typedshm.open(path, Car),
        "create": lambda: typedshm.create(path, Car),
        "unlink": lambda: typedshm.unlink(path),
    }
    for name, verb in verbs.items():
        with pytest.raises(typedshm.RegionRefused, match="not permitted") as caught:
            verb()
        assert (hint in str(caught.value)) == (name == "attach"), "which could ask for less"


@marks.root
@pytest.mark.parametrize(("owner", "stranger"), [(ALICE, BOB), (BOB, ALICE), (0, ALICE)])
def test_a_read_only_user_reads_and_waits_and_does_no_more(owner, stranger):
    with user(owner, hold_for_all, 0o644) as holding:
        holding.expect("made")
        path = Path(locate("car", "machine").address)
        with user(stranger, read_and_wait, holding.pid) as reading:
            reading.expect("read")
            holding.send(2)
            holding.expect("written")
        with user(stranger, touch_everything, path):
            pass
        assert mode_of("car", "machine") == 0o644, "a reader that leaves takes nothing away"
        holding.send(None)
    assert not path.exists()


def read_and_wait(pipe: Any, writer: int) -> None:
    with typedshm.attach("car", scope="machine", readonly=True) as car:
        assert car.read().tick == 1
        pipe.send("read")
        assert car.wait(after=1, timeout=30).tick == 2
        assert (car.info().writers, car.info().readers) == ((writer,), ())
        refused(
            {
                "write": lambda: car.write(car.read()),
                "update": lambda: car.update().__enter__(),
                "loan": lambda: car.loan().__enter__(),
                "lock": lambda: car.lock().__enter__(),
            },
            typedshm.RegionRefused,
        )
        (entry,) = typedshm.regions(scope="machine")
        assert (entry.name, entry.version, entry.problem) == ("car", 2, "")
    verbs = openers("machine")
    del verbs["attach to read"]
    refused(verbs, typedshm.RegionRefused)


@marks.root
def test_where_nobody_else_may_read_nobody_else_does():
    with user(ALICE, hold_for_all, 0o600) as holding:
        holding.expect("made")
        with user(BOB, be_refused_everything):
            pass
        holding.send(None)


def be_refused_everything(pipe: Any) -> None:
    refused(openers("machine"), typedshm.RegionRefused)
    (entry,) = typedshm.regions(scope="machine")
    assert "not permitted" in entry.problem


@marks.root
def test_a_group_writes_together_and_others_do_not():
    with user(ALICE, hold_for_the_group, groups=[FRIENDS]) as holding:
        holding.expect("made")
        with user(BOB, write_once, groups=[FRIENDS]):
            pass
        with user(BOB, be_refused_everything):
            pass
        holding.send("look")


def hold_for_the_group(pipe: Any) -> None:
    with typedshm.create("car", Car, scope="machine", mode=0o660) as car:
        os.chown(locate("car", "machine").address, -1, FRIENDS)  # which is the system's way to say who the group is
        car.write(whole(1))
        pipe.send("made")
        pipe.recv()
        assert car.read() == whole(7)


def write_once(pipe: Any) -> None:
    with typedshm.attach("car", Car, scope="machine") as car:
        assert car.read() == whole(1)
        car.write(whole(7), timeout=1)


# ---- names that another took first ----------------------------------------------------------------------------------


def squat(pipe: Any, path: Path, mode: int) -> None:
    """Stand under another user's name, with a file that looks like a region."""
    with typedshm.create("car", Car) as car:
        car.write(whole(666))
        os.link(locate("car").address, path)
        Path(locate("car").address).unlink()
        os.chmod(path, mode)
        pipe.send("squatted")
        pipe.recv()
    path.unlink()


@marks.root
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666], ids=oct)
@pytest.mark.parametrize(("squatter", "victim"), [(ALICE, BOB), (ALICE, 0), (0, ALICE)])
def test_a_squatted_name_is_refused(squatter, victim, mode):
    """Also if the file looks perfect, and may be read or written by the victim."""
    path = Path(directory("user")) / Path(locate("car").address).name.replace(f"-u{os.geteuid()}-", f"-u{victim}-")
    with user(squatter, squat, path, mode) as squatting:
        squatting.expect("squatted")
        with user(victim, be_refused_by_a_squatter):
            pass
        squatting.send()


def be_refused_by_a_squatter(pipe: Any) -> None:
    verbs = openers()
    if os.geteuid() == 0:
        del verbs["unlink"]  # root may take it away, and that is how one gets rid of it
    refused(verbs, typedshm.RegionRefused)
    (entry,) = typedshm.regions()
    assert "belongs to user" in entry.problem or "not permitted" in entry.problem


@marks.root
def test_what_a_dead_user_left_is_theirs_to_remove():
    """/dev/shm is sticky: nobody else can, and whoever wants the name is told who has to."""
    with user(ALICE, hold_for_all, 0o666) as holding:
        holding.expect("made")
        holding.kill()
    with user(BOB, be_told_whose_it_is):
        pass
    with user(ALICE, make_anew):
        pass


def be_told_whose_it_is(pipe: Any) -> None:
    with pytest.raises(typedshm.RegionRefused, match=f"user {ALICE}, who left it behind, has to remove it"):
        typedshm.create("car", Car, scope="machine")
    with pytest.raises(typedshm.RegionNotFound, match="nobody has it open"):
        typedshm.attach("car", Car, scope="machine")


def make_anew(pipe: Any) -> None:
    with typedshm.create("car", Byte, scope="machine") as car:
        assert car.version == 0


# ---- what a reader can do all the same -------------------------------------------------------------------------------


def fake_life(pipe: Any, path: Path, bytes_held: list[int]) -> None:
    """Take shared locks on bytes of a file that one may only read."""
    fd = os.open(path, os.O_RDONLY)
    for byte in bytes_held:
        with pytest.raises(OSError, match="Bad file descriptor"):  # an exclusive one takes the right to write
            _native.lock_byte(fd, byte, _native.BYTE_EXCLUSIVE)
        assert _native.lock_byte(fd, byte, _native.BYTE_SHARED)
    pipe.send("held")
    pipe.recv()
    os.close(fd)


@marks.root
def test_a_reader_can_fake_the_life_of_a_dead_owner_and_so_cost_time():
    """The limit of the method: whoever may read may hold a byte. Writers get a Timeout then, readers notice nothing."""
    with typedshm.create("car", Car, scope="machine") as car, Wire(Path(locate("car", "machine").address)) as wire:
        car.write(whole(1))
        dead = 100
        wire.control.word = dead + 1 | WORD_ACQUISITION
        with user(ALICE, fake_life, Path(locate("car", "machine").address), [_native.PRESENCE_BYTE + dead]) as faker:
            faker.expect("held")
            with pytest.raises(typedshm.Timeout):
                car.write(whole(2), timeout=0.05)
            assert car.read() == whole(1)
            faker.send()
        car.write(whole(2), timeout=0)
        assert car.read() == whole(2)


@marks.root
def test_a_reader_can_keep_others_from_joining_for_as_long_as_they_have_patience():
    with typedshm.create("car", Car, scope="machine") as car:
        car.write(whole(1))
        with user(ALICE, fake_life, Path(locate("car", "machine").address), [_native.BIRTH_BYTE]) as faker:
            faker.expect("held")
            with pytest.raises(typedshm.Timeout):
                attach_apart("car", Car, scope="machine", timeout=0.05)
            car.write(whole(2), timeout=0)
            assert car.read() == whole(2)
            faker.send()
        with attach_apart("car", Car, scope="machine") as other:
            assert other.read() == whole(2)


@marks.root
def test_a_reader_that_stays_keeps_the_region_and_cannot_keep_its_owner_out():
    with user(ALICE, stay_as_reader) as reading:
        with typedshm.create("car", Car, scope="machine") as car:
            car.write(whole(1))
            reading.send("look")
            reading.expect("in")
        with typedshm.attach("car", Car, scope="machine") as car:  # it lives as long as somebody has it open
            assert car.read() == whole(1)
            car.write(whole(2), timeout=0)
        reading.send("leave")
    assert [left.name for left in lifecycle.existing("machine")] == ["car"], "it is not the reader's to remove"
    lifecycle.sweep("machine")
    assert list(lifecycle.existing("machine")) == []


def stay_as_reader(pipe: Any) -> None:
    pipe.recv()
    with typedshm.attach("car", Car, scope="machine", readonly=True):
        pipe.send("in")
        pipe.recv()


@marks.root
def test_who_may_not_read_can_fake_nothing():
    with typedshm.create("car", Car) as car:
        with user(ALICE, be_unable_to_open, Path(locate("car").address)):
            pass
        car.write(whole(1), timeout=0)


def be_unable_to_open(pipe: Any, path: Path) -> None:
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        with pytest.raises(PermissionError):
            os.open(path, flags)
