"""NTP's shared memory: chronyd takes our samples, and we take gpsd's."""

import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import typedshm
from helpers import debian, marks, private
from helpers.chrony import chronyd
from helpers.debian import Unpacked
from helpers.gpsd import gpsd
from helpers.peers import PATIENCE, until
from helpers.programs import report
from typedshm import foreign

pytestmark = marks.live

OURS = 7  # the unit that chronyd is told to take
AHEAD = 50_000_123  # ns that the clock we publish is ahead of this machine's
NEAR = 10  # ns; without its fields of nanoseconds a sample would be more than 100 off
PORT = 2947


def sample() -> dict[str, int]:
    now = time.time_ns()
    clock = now + AHEAD
    return {
        "clock_seconds": clock // 10**9,
        "clock_microseconds": clock // 1000 % 10**6,
        "clock_nanoseconds": clock % 10**9,
        "receive_seconds": now // 10**9,
        "receive_microseconds": now // 1000 % 10**6,
        "receive_nanoseconds": now % 10**9,
        "precision": -20,
    }


def we_feed_chronyd(pipe: Connection, package: Unpacked) -> None:
    folder = Path("/dev/shm/chrony")
    folder.mkdir(mode=0o700)
    with pytest.raises(typedshm.RegionNotFound):
        foreign.attach("ntp-shm", unit=OURS)
    with (
        chronyd(package, folder, OURS) as chrony,
        foreign.attach("ntp-shm", unit=OURS, timeout=PATIENCE) as looker,
        foreign.Publisher("ntp-shm", unit=OURS) as clock,
    ):
        clock.write(sample())
        samples = 1

        def selected() -> bool:
            nonlocal samples
            if not looker.read().valid:  # chronyd has taken the last one
                clock.write(sample())
                samples += 1
            told = chrony.source()
            return told is not None and told[0] == "*"

        until(selected)
        told = chrony.source()
        assert told is not None
        _, behind = told
        assert abs(-behind * 10**9 - AHEAD) <= NEAR
        last = looker.read()
        assert last.mode == 1
        assert last.count == 2 * samples
        pipe.send(samples)


def test_chronyd_selects_our_clock_and_takes_each_sample_once() -> None:
    private.require()
    chrony = debian.unpacked("chrony", dependencies=True)
    with private.Private(we_feed_chronyd, chrony) as child:
        samples = child.receive()
    report("chrony", chrony.version, f"selects our clock after {samples} samples, right to the nanosecond")


def gpsd_feeds_us(pipe: Connection, package: Unpacked) -> None:
    with (
        gpsd(package, Path("/dev/shm"), PORT) as daemon,
        foreign.attach("ntp-shm", timeout=PATIENCE) as looker,
        foreign.attach("ntp-shm", writable=True) as taker,
    ):
        for handle in (looker, taker):
            with pytest.raises(typedshm.Empty):
                handle.read()
        for _ in range(3):
            daemon.fix()
            seen = looker.wait(timeout=PATIENCE)
            assert seen.valid
            taken = taker.wait(timeout=PATIENCE)
            assert taken == seen
            assert not looker.read().valid
            until(lambda: daemon.times)
            (told,) = daemon.times
            daemon.times.clear()
            assert (taken.clock_seconds, taken.clock_nanoseconds) == (told["real_sec"], told["real_nsec"])
            assert (taken.receive_seconds, taken.receive_nanoseconds) == (told["clock_sec"], told["clock_nsec"])


def test_gpsds_samples_are_the_times_that_it_tells_its_clients() -> None:
    private.require()
    package = debian.unpacked("gpsd", dependencies=True)
    with private.Private(gpsd_feeds_us, package):
        pass
    report("gpsd", package.version, "its samples are the times that it tells its clients")
