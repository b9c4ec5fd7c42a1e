"""NTP's shared memory: chronyd takes our samples, and we take gpsd's."""

import itertools
import struct
import time
from multiprocessing.connection import Connection
from pathlib import Path

from helpers import debian, marks, private
from helpers.chrony import chronyd
from helpers.debian import Unpacked
from helpers.gpsd import gpsd
from helpers.peers import until
from helpers.programs import report
from helpers.real_monitors import NtpShm
from helpers.sysv import attached

pytestmark = marks.live

KEY = 0x4E545030
SIZE = NtpShm.layout.size
OURS = 7  # the unit that chronyd is told to take
AHEAD = 50_000_123  # ns that the clock we publish is ahead of this machine's
NEAR = 10  # ns; without its fields of nanoseconds a sample would be more than 100 off
PORT = 2947
VALID = NtpShm.layout.dtype.fields["valid"][1]


def exists(unit: int) -> bool:
    try:
        with attached(KEY + unit, SIZE):
            return True
    except FileNotFoundError:
        return False


def sample(count: int) -> NtpShm:
    now = time.time_ns()
    clock = now + AHEAD
    return NtpShm(
        mode=1,
        count=count,
        clock_sec=clock // 10**9,
        clock_usec=clock // 1000 % 10**6,
        recv_sec=now // 10**9,
        recv_usec=now // 1000 % 10**6,
        leap=0,
        precision=-20,
        nsamples=3,
        valid=0,
        clock_nsec=clock % 10**9,
        recv_nsec=now % 10**9,
        top_clock=0,
        top_recv=0,
    )


def we_feed_chronyd(pipe: Connection, package: Unpacked) -> None:
    folder = Path("/dev/shm/chrony")
    folder.mkdir(mode=0o700)
    assert not exists(OURS)
    with chronyd(package, folder, OURS) as chrony:
        until(lambda: exists(OURS))
        counts = itertools.count(2, 2)
        with attached(KEY + OURS, SIZE) as view:

            def selected() -> bool:
                if not any(view[VALID : VALID + 4]):  # chronyd has taken the last one
                    view[:] = bytes(sample(next(counts)))
                    view[VALID : VALID + 4] = struct.pack("=i", 1)
                told = chrony.source()
                return told is not None and told[0] == "*"

            until(selected)
        told = chrony.source()
        assert told is not None
        _, behind = told
        assert abs(-behind * 10**9 - AHEAD) <= NEAR
        pipe.send(next(counts) // 2 - 1)


def test_chronyd_selects_our_clock_and_takes_each_sample_once() -> None:
    private.require()
    chrony = debian.unpacked("chrony", dependencies=True)
    with private.Private(we_feed_chronyd, chrony) as child:
        samples = child.receive()
    report("chrony", chrony.version, f"selects our clock after {samples} samples, right to the nanosecond")


def gpsd_feeds_us(pipe: Connection, package: Unpacked) -> None:
    assert not exists(0)
    with gpsd(package, Path("/dev/shm"), PORT) as daemon:
        until(lambda: exists(0))
        with attached(KEY, SIZE) as view:
            for _ in range(3):
                daemon.fix()
                until(lambda: any(view[VALID : VALID + 4]))
                found = NtpShm.from_buffer_copy(bytes(view))
                view[VALID : VALID + 4] = bytes(4)
                until(lambda: daemon.times)
                (told,) = daemon.times
                daemon.times.clear()
                assert (found.clock_sec, found.clock_nsec) == (told["real_sec"], told["real_nsec"])
                assert (found.recv_sec, found.recv_nsec) == (told["clock_sec"], told["clock_nsec"])


def test_gpsds_samples_are_the_times_that_it_tells_its_clients() -> None:
    private.require()
    package = debian.unpacked("gpsd", dependencies=True)
    with private.Private(gpsd_feeds_us, package):
        pass
    report("gpsd", package.version, "its samples are the times that it tells its clients")
