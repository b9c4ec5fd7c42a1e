"""32-bit and 64-bit Windows programs share a region: platform/windows/peer.c, a C program over typedshm.h, and us.

The programs are made by platform/windows32.sh, which says where they are in the variable TYPEDSHM_PEERS.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import typedshm
from helpers.peers import PATIENCE
from helpers.shared_types import Record, record
from typedshm.testing.inspection import attachment_of, handle_of

if sys.platform != "win32":
    pytest.skip("about programs for Windows; platform/windows32.sh runs it", allow_module_level=True)
if "TYPEDSHM_PEERS" not in os.environ:
    pytest.skip("takes a Wine that runs 32-bit programs; platform/windows32.sh makes one", allow_module_level=True)

FIELDS = "abcdefghij"


class Peer:
    """The program, for one of the two kinds of processes."""

    def __init__(self, bits: int, region: "typedshm.Region[Record]") -> None:
        location, header = handle_of(region).location, attachment_of(region).header
        self._bits = bits
        self._command = [
            str(Path(os.environ["TYPEDSHM_PEERS"]) / f"peer{bits}.exe"),
            f"{location.address}!{header['instance']:016x}",
        ]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([*self._command, *arguments], stdout=subprocess.PIPE, text=True)

    def run(self, *arguments: str, status: int = 0) -> str:
        with self.start(*arguments) as program:
            output, _ = program.communicate(timeout=PATIENCE)
        assert program.returncode == status
        return output.strip()

    def says(self, version: int, value: Record) -> str:
        words = " ".join(str(getattr(value, field)) for field in FIELDS)
        return f"{self._bits} bits, version {version}: {words}"


@pytest.fixture
def region():
    with typedshm.create("record", Record) as region:
        yield region


@pytest.fixture(params=[32, 64])
def peer(request, region):
    return Peer(request.param, region)


def test_it_reads_what_we_write(region, peer):
    assert peer.run() == peer.says(0, Record())
    for n in range(1, 5):
        region.write(record(n))
        assert peer.run() == peer.says(n, record(n))


def test_we_read_what_it_writes(region, peer):
    assert peer.run("3") == peer.says(3, region.wait(after=0, timeout=PATIENCE))
    assert region.read() == Record(**dict.fromkeys(FIELDS, 3))
    assert region.version == 3


def test_it_and_we_exclude_each_other(region, peer):
    region.write(Record())
    ours, theirs = 0, 20000
    with peer.start(str(theirs)) as program:
        while program.poll() is None:
            with region.update(timeout=PATIENCE) as t:
                for field in FIELDS:
                    setattr(t, field, getattr(t, field) + 1)
            ours += 1
    assert program.returncode == 0
    assert region.read() == Record(**dict.fromkeys(FIELDS, ours + theirs))
    assert region.version == 1 + ours + theirs


def test_its_death_in_the_middle_of_a_write_costs_nothing(region, peer):
    region.write(record(1))
    peer.run("die", status=9)
    assert region.read() == record(1)
    region.write(record(2), timeout=PATIENCE)
    assert region.read() == record(2)
    assert region.info().deaths == 1
    assert peer.run() == peer.says(2, record(2))
