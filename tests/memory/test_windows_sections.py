"""Named regions on Windows: sections of the kernel."""

import ctypes
import sys

import pytest

import typedshm
import typedshm._native as _native
from conformance import Backend, NamedMemory
from helpers.shared_types import Pose
from helpers.wire import memory_of
from typedshm.memory.names import locate
from typedshm.testing.inspection import attach_apart

if sys.platform != "win32":
    pytest.skip("about Windows' own mechanisms", allow_module_level=True)

from ctypes import wintypes

from helpers.system import NamedEvent
from typedshm.memory.windows.security import descriptor

kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)


class TestWindowsSections(NamedMemory):
    backend = Backend(name=lambda folder: "region")


def test_the_objects_are_the_owners_alone() -> None:
    user = _native.current_user()
    assert descriptor(locate("r").mode) == f"O:{user}D:P(A;;GA;;;{user})(A;;GA;;;SY)"
    machine = locate("r", "machine")
    assert descriptor(machine.mode).endswith("(A;;GR;;;WD)")
    assert "WD" not in descriptor(machine.mode, synchronisation=True)
    everybody = locate("r", "machine", 0o666)
    assert descriptor(everybody.mode).endswith("(A;;GRGW;;;WD)")
    assert descriptor(everybody.mode, synchronisation=True).endswith("(A;;GA;;;WD)")
    with typedshm.create("r", Pose):
        assert _native.Section(locate("r").address).owner == user


def test_names_live_in_the_session_or_in_the_machine() -> None:
    assert locate("a b").address.startswith("Local\\typedshm-u")
    assert locate("a b", "machine").address.startswith("Global\\typedshm-machine-region-")
    assert locate("a b").address.endswith("a%20b")


def test_an_object_of_another_kind_under_the_name_is_refused() -> None:
    event = NamedEvent(locate("r").address)
    with pytest.raises(typedshm.RegionRefused, match="another kind"):
        typedshm.create("r", Pose)
    event.close()
    typedshm.create("r", Pose).close()


def test_the_memory_is_as_large_as_the_system_says() -> None:
    with typedshm.create("r", Pose) as region:
        assert len(memory_of("r")) % 4096 == 0
        assert len(memory_of("r")) >= region.info().size


def test_the_largest_name_works() -> None:
    longest = 215 - (len(locate("x").address) - len("Local\\x"))
    name = "n" * longest
    with typedshm.create(name, Pose) as region, attach_apart(name, Pose) as other:
        region.write(Pose.zero())
        assert other.read() == Pose.zero()
        assert [entry.name for entry in typedshm.regions()] == [name]
    with pytest.raises(typedshm.NameRefused):
        typedshm.create(name + "n", Pose)


def test_nothing_is_left_open() -> None:
    kernel32.GetCurrentProcess.restype = wintypes.HANDLE
    kernel32.GetProcessHandleCount.argtypes = (wintypes.HANDLE, ctypes.c_void_p)

    def handles() -> int:
        count = wintypes.DWORD()
        assert kernel32.GetProcessHandleCount(kernel32.GetCurrentProcess(), ctypes.byref(count))
        return count.value

    def once() -> None:
        with (
            typedshm.create("r", Pose) as region,
            typedshm.attach("r"),
            attach_apart("r") as other,
            typedshm.NamedMutex("m"),
        ):
            region.write(Pose.zero())
            other.wait(timeout=1)
            with pytest.raises(typedshm.Timeout):
                other.wait(timeout=0.001)
        with pytest.raises(typedshm.RegionNotFound):
            typedshm.attach("r")

    once()
    before = handles()
    for _ in range(20):
        once()
    assert handles() - before < 20
