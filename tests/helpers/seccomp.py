"""A process to which the kernel refuses a call, as a container's seccomp filter does."""

import errno
import subprocess

import pytest

from helpers.peers import run_script

FUTEX_WAITV = 449

_FILTER = """
import ctypes, struct, sys

def filter(*steps):
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None)
    return libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0

# load the call's number; is it that one? fail, else go on
if not filter((0x20, 0, 0, 0), (0x15, 0, 1, {call}), (6, 0, 0, 0x50000 | {error}), (6, 0, 0, 0x7FFF0000)):
    sys.exit("no filter")
"""


def run_without(call: int, error: str, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script that gets an error, such as ``"EPERM"``, from a call of the system."""
    done = run_script(_FILTER.format(call=call, error=getattr(errno, error)) + script)
    if done.stderr == "no filter\n":
        pytest.skip("calls cannot be filtered here")
    return done
