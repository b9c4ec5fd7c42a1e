"""Memory that goes away under a running program: cut short, overwritten, deleted, on a disk that is full."""

import contextlib
import errno
import gc
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
import typedshm._native as _native
from helpers import marks
from helpers.peers import PATIENCE, Child, quiet_fork, run_script, until
from helpers.shared_types import Big, Car, Frame, whole
from helpers.threads import InThread
from helpers.wire import CONTROL_PAGES, WORD_WAITING, Wire
from typedshm.memory.names import locate
from typedshm.memory.spec import RegionSpec
from typedshm.testing.inspection import attach_apart

cut_short = marks.not_on_windows("a file that is mapped cannot be cut short")
LOST = "has lost its memory"
OTHER = "holds something else now"


def value_of(schema: Any) -> Any:
    return whole(1) if schema is Car else schema.zero()


@pytest.fixture(params=["named", "file"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | Path]:
    chosen = "region" if request.param == "named" else tmp_path / "region"
    yield chosen
    gc.collect()
    if not marks.WINDOWS:
        Path(locate(chosen).address).unlink(missing_ok=True)  # cut short, it is nothing that anybody would sweep away


def inside(block: Any) -> None:
    with block as t:
        if t is not None and not isinstance(t, typedshm.region.region._Lock):
            np.frombuffer(t, np.uint8)[:] = 7


def thrice(verb: Any, *args: Any) -> None:
    for _ in range(3):
        verb(*args)


VERBS = {
    "read": lambda region, value: region.read(),
    "read_into": lambda region, value: region.read_into(value),
    "write": lambda region, value: region.write(value),
    "update": lambda region, value: inside(region.update()),
    "loan": lambda region, value: inside(region.loan()),
    "lock": lambda region, value: inside(region.lock()),
    "borrow": lambda region, value: region.borrow().__enter__(),
    "follow": lambda region, value: next(region.follow(every=True, start=1)),
    "batch": lambda region, value: _native.follower_batch(region.follow(every=True, start=1), 9, 2**20),
    "publish": lambda region, value: _native.publish(region, bytes(value), 0, 0),
    "wait": lambda region, value: region.wait(after=1, timeout=PATIENCE),
    "version": lambda region, value: region.version,
    "info": lambda region, value: region.info(),
}


@cut_short
@pytest.mark.parametrize("schema", [Car, Big])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_that_the_memory_is_gone(name, verb, schema):
    value = value_of(schema)
    with typedshm.create(name, schema) as region, typedshm.attach(name, schema, readonly=True) as reader:
        region.write(value)
        os.truncate(locate(name).address, 0)
        handles = (region, reader) if verb not in ("write", "publish", "update", "loan", "lock") else (region,)
        for handle in handles:
            for _ in range(2):
                with pytest.raises(typedshm.RegionLost, match=LOST) as caught:
                    VERBS[verb](handle, value)
                assert isinstance(caught.value, ConnectionError)
                assert repr(str(name)) in str(caught.value)
            assert "lost" in repr(handle)


@cut_short
@pytest.mark.parametrize("verb", ["read", "write", "update", "loan"])
def test_a_part_that_is_cut_off_is_missed_when_it_is_touched(name, verb):
    value = Frame.zero()
    with typedshm.create(name, Frame) as region:
        for _ in range(3):
            region.write(value)
        os.truncate(locate(name).address, CONTROL_PAGES)
        assert region.version == 3, "what is there can be read"
        with pytest.raises(typedshm.RegionLost, match=LOST):
            thrice(VERBS[verb], region, value)
        with pytest.raises(typedshm.RegionLost, match=LOST):
            region.info()


@cut_short
@pytest.mark.parametrize("verb", ["update", "loan"])
@pytest.mark.parametrize("schema", [Car, Big])
def test_a_block_whose_memory_goes_away_ends_in_an_error_and_its_arrays_live_on(name, schema, verb):
    with typedshm.create(name, schema, slots=2) as region:
        region.write(value_of(schema))
        block = getattr(region, verb)()
        t = block.__enter__()
        array = np.frombuffer(t, np.uint8)
        os.truncate(locate(name).address, 0)
        array[:] = 9
        assert (array == 9).all(), "it is memory like any other"
        with pytest.raises(typedshm.RegionLost, match=LOST):
            block.__exit__(None, None, None)
        with pytest.raises(typedshm.RegionLost, match=LOST):
            region.write(value_of(schema), timeout=0)
    array[:] = 10
    assert array.sum() == 10 * array.size


@cut_short
@pytest.mark.parametrize("verb", ["write", "update", "loan"])
def test_a_write_inside_a_lock_that_lost_its_memory_fails_at_once(name, verb):
    with typedshm.create(name, Car) as region:
        lock = region.lock()
        lock.__enter__()
        os.truncate(locate(name).address, 0)
        for _ in range(2):
            with pytest.raises(typedshm.RegionLost, match=LOST):
                VERBS[verb](region, whole(1))
        with pytest.raises(typedshm.RegionLost, match=LOST):
            lock.__exit__(None, None, None)


@cut_short
def test_overlays_of_lost_memory_show_zeros_and_the_next_verb_says_why(name):
    with typedshm.create(name, Frame) as region:
        with region.loan() as t:
            t.image[:] = 5
            kept = t.image
        assert (kept == 5).all()
        os.truncate(locate(name).address, 0)
        assert not kept.any()
        with pytest.raises(typedshm.RegionLost, match=LOST):
            region.read()


def overwritten(name: str | Path, how: str) -> None:
    with Wire(name) as wire:
        if how == "zeros":
            wire.memory[:] = bytes(len(wire.memory))
        elif how == "garbage":
            wire.memory[:] = random.Random(1).randbytes(len(wire.memory))
        else:
            with typedshm.create("other", Car) as other:
                other.write(whole(1000))
                other.write(whole(1000))
                with Wire("other") as theirs:
                    wire.memory[:] = theirs.memory[: len(wire.memory)]  # Windows' sections are whole pages


@pytest.mark.parametrize("how", ["zeros", "garbage", "another region"])
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_overwritten_is_not_taken_for_a_value(name, verb, how):
    with typedshm.create(name, Car) as region:
        region.write(whole(1))
        with region.borrow():
            pass  # from here on there are pages to look at it by
        overwritten(name, how)
        region.timeout = 0.05  # garbage may name somebody alive as the owner of the lock
        with pytest.raises(typedshm.RegionLost, match=OTHER):
            VERBS[verb](region, whole(2))
        assert "lost" in repr(region)


def test_a_block_that_is_overwritten_is_an_error(name):
    with typedshm.create(name, Car) as region:
        region.write(whole(1))
        with pytest.raises(typedshm.RegionLost, match=OTHER), region.update():
            overwritten(name, "another region")


@cut_short
@marks.warned_when_unlinked
def test_a_deleted_region_goes_on_for_those_who_have_it(name):
    with typedshm.create(name, Car) as region, attach_apart(name, Car) as other:
        region.write(whole(1))
        Path(locate(name).address).unlink()
        other.write(whole(2))
        assert region.wait(timeout=0) == whole(2)
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach(name)


@cut_short
@pytest.mark.parametrize("length", [73, 300, 520, 4096, 5000, 16384, 17000])
def test_a_cut_anywhere_is_told_from_an_empty_or_broken_region(name, length):
    """Up to its page's end the system shows zeros for what was cut off: no fault tells of them."""
    with typedshm.create(name, Car) as region:
        region.write(whole(1))
        os.truncate(locate(name).address, length)
        for verb in (region.read, lambda: region.wait(timeout=0), lambda: region.wait(after=1, timeout=None)):
            with pytest.raises(typedshm.RegionLost, match=LOST):
                verb()
        if length <= 16384:
            for verb in (lambda: region.version, lambda: region.write(whole(2)), region.lock().__enter__):
                with pytest.raises(typedshm.RegionLost, match=LOST):
                    verb()


@cut_short
@pytest.mark.parametrize("length", [0, 100, 4096])
def test_a_region_that_is_cut_while_it_is_made(name, length, monkeypatch):
    build = RegionSpec.build

    def cut(*args: Any) -> None:
        os.truncate(locate(name).address, length)
        build(*args)

    monkeypatch.setattr(RegionSpec, "build", cut)
    with pytest.raises((typedshm.RegionLost, typedshm.RegionCorrupt)):
        typedshm.create(name, Car).write(whole(1))
    monkeypatch.undo()
    gc.collect()
    Path(locate(name).address).unlink(missing_ok=True)
    with typedshm.create(name, Car) as region:
        region.write(whole(1))


@cut_short
@pytest.mark.parametrize("length", [100, CONTROL_PAGES])
@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_block_in_debug_mode_loses_its_own_pages(when, length):
    done = run_script(
        f"""
import os, numpy as np, typedshm
from typedshm.testing.inspection import handle_of
region = typedshm.create("region", typedshm.array("u1", 100_000), slots=2)
region.write(np.ones(100_000, "u1"))
path = handle_of(region).location.address
{f"os.truncate(path, {length})" if when == "before" else ""}
try:
    with region.loan() as t:
        os.truncate(path, {length})
        t[:] = 7
except typedshm.RegionLost:
    print("lost")
""",
        TYPEDSHM_DEBUG="1",
    )
    assert (done.returncode, done.stdout) == (0, "lost\n"), done.stderr


def use_without_a_handler(pipe: Any, verb: str, path: str) -> None:
    with typedshm.attach("region", Big) as region:
        signal.signal(signal.SIGBUS, signal.SIG_DFL)  # in the place of ours
        pipe.send("ready")
        if verb == "wait":
            with pytest.raises(typedshm.RegionLost, match=LOST):
                region.wait(after=1, timeout=PATIENCE)
        else:
            block = region.loan()
            t = block.__enter__()
            os.truncate(path, 0)
            t.data[:] = 1
            with pytest.raises(typedshm.RegionLost, match=LOST):
                block.__exit__(None, None, None)


@cut_short
@pytest.mark.parametrize("verb", ["wait", "loan"])
def test_the_handler_is_put_back_when_somebody_has_replaced_it(verb: str) -> None:
    path = locate("region").address
    with typedshm.create("region", Big) as region, Wire("region") as wire:
        region.write(Big.zero())
        with Child(use_without_a_handler, verb, path) as child:
            child.expect("ready")
            if verb == "wait":
                until(lambda: wire.control.awaited)
                os.truncate(path, 0)
    Path(path).unlink(missing_ok=True)


# ---- who sleeps meanwhile ------------------------------------------------------------------------------------------


@cut_short
@pytest.mark.parametrize("readonly", [False, True])
def test_a_waiter_notices(name, readonly):
    with typedshm.create(name, Car) as region, typedshm.attach(name, Car, readonly=readonly) as waiter:
        region.write(whole(1))
        waiting = InThread(waiter.wait, after=1, timeout=None)
        if not readonly:
            with Wire(name) as wire:
                until(lambda: wire.control.awaited)
        os.truncate(locate(name).address, 0)
        with pytest.raises(typedshm.RegionLost):
            waiting.result()


@cut_short
def test_who_waits_for_the_lock_notices(name):
    with typedshm.create(name, Car) as region, attach_apart(name, Car) as other:
        lock = other.lock()
        lock.__enter__()
        writing = InThread(region.write, whole(1), timeout=None)
        with Wire(name) as wire:
            until(lambda: wire.control.word & WORD_WAITING)
        os.truncate(locate(name).address, 0)
        with pytest.raises(typedshm.RegionLost):
            writing.result()
        with pytest.raises(typedshm.RegionLost, match=LOST):
            lock.__exit__(None, None, None)


@cut_short
@pytest.mark.parametrize("length", [0, 200, 4096])
def test_a_mutex_that_is_lost_guards_nothing_and_says_so(length):
    path = Path(locate("guard", kind="mutex").address)
    with contextlib.closing(typedshm.NamedMutex("guard")) as mutex:
        assert mutex.acquire()
        os.truncate(path, length)
        if length == 4096:
            mutex.release()  # its word is still there
        else:
            with pytest.raises(typedshm.RegionLost, match=LOST):
                mutex.release()
        for take in (mutex.acquire, mutex.__enter__):
            with pytest.raises(typedshm.RegionLost, match=LOST):
                take()
    path.unlink(missing_ok=True)


@cut_short
def test_a_raw_section_that_is_lost_says_so(namespace):
    name = f"typedshm-test-{os.getpid()}-{random.getrandbits(32):x}"
    with typedshm.RawSection(name, 8192, create=True) as section:
        view = section.view
        view[5000] = 1
        os.truncate(f"/dev/shm/{name}", 0)
        Path(f"/dev/shm/{name}").unlink()
        assert view[5000] == 0
        with pytest.raises(typedshm.RegionLost, match="truncated to 0 bytes by another program; it had 8,192"):
            _ = section.view


def what_a_child_finds(pipe: Any, region: Any) -> str:
    try:
        region.read()
    except typedshm.RegionLost as error:
        return str(error)
    return "nothing"


@marks.fork
def test_the_child_of_a_fork_knows_that_the_memory_is_gone(name):
    with typedshm.create(name, Car) as region, typedshm.create("sound", Car) as sound:
        sound.write(whole(1))
        os.truncate(locate(name).address, 0)
        with pytest.raises(typedshm.RegionLost):
            region.read()
        with Child(what_a_child_finds, region) as child:
            pass
        assert "region" in child.result
        with Child(what_a_child_finds, sound) as child:
            pass
        assert child.result == "nothing", "and others are none the worse"


@cut_short
def test_many_threads_race_the_cutting():
    """Every thread is somewhere else when it happens: in a copy, in a block, asleep, at the lock."""
    seed = random.Random(4)
    for turn in range(12):
        schema = (Car, Big, Frame)[turn % 3]
        with typedshm.create("region", schema) as region:
            region.write(value_of(schema))
            ends: list[type[BaseException]] = []

            def go_on(verb: str, region: Any = region, schema: Any = schema, ends: Any = ends) -> None:
                value = value_of(schema)
                try:
                    while True:
                        if verb == "wait":
                            region.wait(after=region.version, timeout=PATIENCE)
                        else:
                            VERBS[verb](region, value)
                except typedshm.TypedshmError as error:
                    ends.append(type(error))

            threads = [
                threading.Thread(target=go_on, args=(verb,), daemon=True)
                for verb in ("read", "write", "loan", "update", "wait")
            ]
            for thread in threads:
                thread.start()
            start = region.version
            until(lambda region=region, start=start: region.version > start + seed.randrange(50))
            size = region.info().size
            os.truncate(locate("region").address, seed.choice([0, 4096, size // 2]))
            for thread in threads:
                thread.join(PATIENCE)
            assert set(ends) == {typedshm.RegionLost}
            assert len(ends) == len(threads)
        Path(locate("region").address).unlink(missing_ok=True)


# ---- room that is not there ----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Use up all room that is left."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(size))
    assert os.statvfs(disk).f_bavail == 0


@marks.root
def test_a_full_disk_is_said_at_creation_and_leaves_no_file(small_disk):
    fill(small_disk)
    with pytest.raises(typedshm.RegionFull, match=r"needs [\d,]+ bytes, but .* has 0 free") as caught:
        typedshm.create(small_disk / "region", Car)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@marks.root
def test_a_disk_that_is_full_later_is_not_noticed(small_disk):
    schema = typedshm.array(np.uint8, 150_000)
    with typedshm.create(small_disk / "region", schema) as region:
        fill(small_disk)
        for n in range(1, 10):
            region.write(np.full(150_000, n, np.uint8))
            assert (region.read() == n).all()


@marks.root
def test_room_that_was_taken_back_costs_the_region_not_the_process(small_disk):
    """As with file systems that copy on write, which can run out of room for what they have promised."""
    schema = typedshm.array(np.uint8, 150_000)
    path = small_disk / "region"
    with typedshm.create(path, schema) as region:
        region.write(np.zeros(150_000, np.uint8))
        subprocess.run(["fallocate", "--punch-hole", "-o", str(CONTROL_PAGES), "-l", "400000", str(path)], check=True)
        fill(small_disk)
        with pytest.raises(typedshm.RegionLost, match="disk behind it failed or is full"):
            region.write(np.ones(150_000, np.uint8))


@cut_short
def test_a_limit_on_private_memory_is_no_obstacle():
    done = run_script("""
import os, resource, numpy as np, typedshm
from typedshm.testing.inspection import handle_of
value = np.ones(1_000_000, "u1")
regions = [typedshm.create(name, typedshm.array("u1", 1_000_000), slots=2) for name in ("region", "another")]
for region in regions:
    region.write(value)
before = resource.getrlimit(resource.RLIMIT_DATA)
for region in regions:  # the first without a limit: what the interpreter takes for an error it has afterwards
    os.truncate(handle_of(region).location.address, 0)
    try:
        region.read_into(value)
    except typedshm.RegionLost:
        print("lost")
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 20, before[1]))  # less than the process has already
resource.setrlimit(resource.RLIMIT_DATA, before)  # the interpreter's end takes memory as well
""")
    assert (done.returncode, done.stdout) == (0, "lost\nlost\n"), done.stderr


# ---- other handlers of the same signal -----------------------------------------------------------------------------

FAULTHANDLER = {
    "off": ("faulthandler.disable()", ""),
    "before us": ("faulthandler.enable()", ""),
    "after us": ("", "faulthandler.enable()"),
}
TOUCH = {
    "read": "region.read()",
    "write": "region.write(value)",
    "overlay": "kept.sum(); kept[:] = 1; region.read()",
}


@cut_short
@pytest.mark.parametrize("size", [100, 1_000_000])
@pytest.mark.parametrize("touch", TOUCH)
@pytest.mark.parametrize("mode", FAULTHANDLER)
def test_faulthandler_may_come_before_or_after(mode, touch, size):
    before, after = FAULTHANDLER[mode]
    done = run_script(f"""
import faulthandler, os
{before}
import numpy as np, typedshm
from typedshm.memory.names import locate
region = typedshm.create("region", typedshm.array("u1", {size}))
value = np.zeros({size}, "u1")
with region.loan() as kept:
    kept[:] = 3
{after}
path = locate("region").address
os.truncate(path, 0)
try:
    {TOUCH[touch]}
except typedshm.RegionLost as error:
    print("lost")
os.unlink(path)
with typedshm.create("next", typedshm.array("u1", 8)) as following:  # and once more, now that we are in front
    following.write(np.ones(8, "u1"))
    os.truncate(locate("next").address, 0)
    try:
        following.read()
    except typedshm.RegionLost:
        print("lost again")
    os.unlink(locate("next").address)
""")
    assert (done.returncode, done.stdout.split("\n")[:2]) == (0, ["lost", "lost again"]), done.stderr
    if mode != "after us":
        assert done.stderr == "", "nothing is reported that has been dealt with"


FOREIGN_FAULT = """
import mmap, tempfile
file = tempfile.TemporaryFile()
file.truncate(8192)
foreign = mmap.mmap(file.fileno(), 8192)
file.truncate(0)
foreign[5000]
"""
SENT = "os.kill(os.getpid(), signal.SIGBUS)"
OPEN = """
import os, signal, numpy as np, typedshm
from typedshm.testing.inspection import handle_of
region = typedshm.create("region", typedshm.array("u1", 100))
region.write(np.zeros(100, "u1"))
"""


@cut_short
@pytest.mark.parametrize(
    "event", [FOREIGN_FAULT, SENT, "signal.raise_signal(signal.SIGBUS)"], ids=["fault", "kill", "raise"]
)
@pytest.mark.parametrize("watched", [False, True], ids=["default", "faulthandler"])
def test_other_faults_still_end_the_process(event, watched):
    enable = "import faulthandler; faulthandler.enable()" if watched else ""
    done = run_script(
        f"{enable}\n{OPEN}\nprint('there', flush=True)\n"
        f"os.unlink(handle_of(region).location.address)\n{event}\nprint('alive')"
    )
    assert (done.returncode, done.stdout) == (-signal.SIGBUS, "there\n")
    assert ("Fatal Python error: Bus error" in done.stderr) is watched


@cut_short
@pytest.mark.parametrize("order", ["before us", "after us"])
def test_a_handler_of_the_programs_own_is_served(order):
    install = "import signal; signal.signal(signal.SIGBUS, lambda *_: print('served', flush=True))"
    first, then = (install, "") if order == "before us" else ("", install)
    done = run_script(f"""
{first}
{OPEN}
{then}
{SENT}
with typedshm.attach("region") as second:  # puts us in front again
    {SENT}
    os.truncate(handle_of(region).location.address, 0)
    for handle in (region, second):
        try:
            handle.read()
        except typedshm.RegionLost:
            print("lost", flush=True)
    {SENT}
region.close()
""")
    assert (done.returncode, done.stdout.split()) == (0, ["served", "served", "lost", "lost", "served"]), done.stderr


@cut_short
def test_an_ignored_signal_stays_ignored():
    done = run_script(
        f"import signal; signal.signal(signal.SIGBUS, signal.SIG_IGN)\n{OPEN}\n{SENT}\nprint('alive'); region.close()"
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")
    done = run_script(
        f"import signal; signal.signal(signal.SIGBUS, signal.SIG_IGN)\n{OPEN}\n"
        f"os.unlink(handle_of(region).location.address)\n{FOREIGN_FAULT}"
    )
    assert done.returncode == -signal.SIGBUS, "a fault cannot be ignored"


@pytest.mark.skipif(sys.platform != "linux", reason="knows Linux' struct sigaction")
@pytest.mark.parametrize("first", ["", "import signal; signal.signal(signal.SIGBUS, lambda *_: print('served'))"])
def test_a_handler_that_hands_back_what_it_got_ends_in_no_loop(first):
    """It kept us as the one to hand on to, and we, in front of it again, hand on to it; then it is its elders' turn."""
    done = run_script(f"""
{first}
import ctypes
{OPEN}
libc = ctypes.CDLL(None, use_errno=True)
class Action(ctypes.Structure):
    _fields_ = [
        ("handler", ctypes.c_void_p), ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p),
    ]
old = Action()
Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
@Handler
def hand_back(number, info, context):
    os.write(1, b"handed on\\n")
    Handler(old.handler)(number, info, context)
new = Action(handler=ctypes.cast(hand_back, ctypes.c_void_p), flags=4 | 0x40000000)
assert libc.sigaction(signal.SIGBUS, ctypes.byref(new), ctypes.byref(old)) == 0
typedshm.attach("region").close()
os.unlink(handle_of(region).location.address)
{SENT}
""")
    if first:
        assert (done.returncode, done.stdout) == (0, "handed on\nserved\n"), done.stderr
    else:
        assert (done.returncode, done.stdout) == (-signal.SIGBUS, "handed on\n"), done.stderr


@marks.fork
def test_a_fault_in_the_child_of_a_fork():
    with typedshm.create("region", Frame) as region:
        region.write(Frame.zero())
        pid = quiet_fork()
        if pid == 0:
            os.truncate(locate("region").address, 0)
            try:
                region.read()
            except typedshm.RegionLost:
                os._exit(0)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with pytest.raises(typedshm.RegionLost):
            region.read()
        Path(locate("region").address).unlink(missing_ok=True)
