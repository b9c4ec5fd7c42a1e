"""A place that all processes of one comparison share, and that is swept at its end."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

_VARIABLE = "TYPEDSHM_BENCHMARK"
_MEMORY = Path("/dev/shm")


def folder() -> Path:
    """Where files of this comparison belong."""
    return Path(os.environ[_VARIABLE])


def on_disk() -> Path:
    """Where files belong that a peer does not keep in memory."""
    return Path(tempfile.gettempdir()) / f"{folder().name}-on-disk"


def prefix() -> str:
    """What the names of whatever is shared begin with."""
    return f"tb{folder().name[-8:]}"


def name() -> str:
    """Return a name nobody else has, short enough for every peer."""
    return f"{prefix()}-{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Make the folder, in memory where that is possible, and sweep it and all that has its prefix at the end."""
    made = Path(tempfile.mkdtemp(prefix="typedshm-benchmark-", dir=_MEMORY if _MEMORY.is_dir() else None))
    os.environ[_VARIABLE] = str(made)
    swept, disk = prefix(), on_disk()
    try:
        yield made
    finally:
        del os.environ[_VARIABLE]
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(disk, ignore_errors=True)
        # what those that were killed could not remove
        for left in _MEMORY.glob(f"*{swept}*") if _MEMORY.is_dir() else ():
            with contextlib.suppress(OSError):
                left.unlink()


REDIS = "redis-server"


@contextlib.contextmanager
def redis_server() -> Iterator[bool]:
    """Run a Redis that saves nothing, on a socket in the folder; yields False if there is none to run."""
    program = shutil.which(REDIS)
    if program is None:
        yield False
        return
    socket, pid = folder() / "redis.sock", folder() / "redis.pid"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    keeper = shutil.which("setpriv")  # has it end with us, however we end
    server = subprocess.Popen(
        [*([keeper, "--pdeathsig", "TERM"] if keeper else []), *command],
        stdout=subprocess.DEVNULL,
        cwd=folder(),
        start_new_session=True,  # Ctrl-C is ours, not its
    )
    try:
        pid.write_text(str(server.pid))
        while not socket.exists() and server.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0.01)
        yield server.poll() is None
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
