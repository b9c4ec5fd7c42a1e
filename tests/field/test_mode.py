"""Permission bits that cannot be are refused by name, before there is a region."""

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import typedshm
from helpers import marks
from typedshm import NamedMutex
from typedshm.memory.names import locate

BYTE = typedshm.array("u1", 1)


def makers(name: Any, mode: Any, scope: Any = "user") -> list[Any]:
    ways = [
        lambda: typedshm.create(name, BYTE, mode=mode, scope=scope),
        lambda: typedshm.open(name, BYTE, mode=mode, scope=scope),
        lambda: typedshm.share(name, np.zeros(1), mode=mode, scope=scope),
    ]
    return [*ways, lambda: NamedMutex(name, mode=mode, scope=scope)] if isinstance(name, str) else ways


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o200, 0o000, 0o055, 0o577])
@pytest.mark.parametrize("scope", ["user", "machine"])
def test_a_mode_without_the_owners_rights_is_refused(mode, scope, tmp_path):
    """It used to say that the region had lost its memory."""
    for name in ("x", tmp_path / "x"):
        for make in makers(name, mode, scope):
            with pytest.raises(
                ValueError, match=rf"mode: expected the owner's right to read and write.*found {mode:#o}"
            ):
                make()
    assert not (tmp_path / "x").exists()
    assert typedshm.regions(scope) == []


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o1600, "found 0o1600"),
        (0o4755, "found 0o4755"),
        (0o10600, "found 0o10600"),
        (-1, "found -0o1"),
        (600, "found 0o1130; 600 is decimal, 0o600 is octal"),
        (644, "644 is decimal, 0o644 is octal"),
        (1 << 40, "mode: expected permission bits from 0o600 to 0o777"),
    ],
)
def test_a_mode_beyond_permission_bits_is_refused(mode, words):
    for make in makers("x", mode):
        with pytest.raises(ValueError, match=words):
            make()


@pytest.mark.parametrize("mode", ["600", "rw-------", 0o600 + 0.0, True, b"600", [0o600], (0o600,)])
def test_a_mode_that_is_no_number_is_a_type_error(mode):
    for make in makers("x", mode):
        with pytest.raises(TypeError, match=r"mode: expected permission bits such as 0o600, found"):
            make()


def test_others_may_write_to_regions_of_the_machine_only():
    with pytest.raises(ValueError, match="mode 0o660 lets other users write; that requires scope='machine'"):
        typedshm.create("x", BYTE, mode=0o660)


@marks.permission_bits
@pytest.mark.parametrize(("scope", "mode"), [("user", 0o600), ("user", 0o644), ("user", 0o700), ("machine", 0o666)])
def test_other_modes_are_what_the_file_gets(scope, mode):
    with typedshm.create("x", BYTE, mode=mode, scope=scope):
        assert stat.S_IMODE(os.stat(locate("x", scope).address).st_mode) == mode


@marks.permission_bits
@pytest.mark.skipif(marks.ROOT, reason="root may open everything")
def test_a_file_whose_bits_were_taken_away_says_so(tmp_path):
    path = tmp_path / "x"
    typedshm.create(path, BYTE).close()
    path.chmod(0o444)
    with pytest.raises(typedshm.RegionRefused, match="not permitted; readonly=True may be"):
        typedshm.attach(path, BYTE)
    with typedshm.attach(path, BYTE, readonly=True):
        pass
    path.chmod(0o000)
    with pytest.raises(typedshm.RegionRefused, match="not permitted"):
        typedshm.attach(path, BYTE, readonly=True)
    assert Path(path).exists()
