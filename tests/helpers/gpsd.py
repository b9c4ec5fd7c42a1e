"""gpsd, with a receiver made up for it that sends NMEA sentences, and a client that takes what gpsd says of time."""

import contextlib
import datetime
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

from helpers.debian import Unpacked
from helpers.peers import PATIENCE


def _sentence(text: str) -> bytes:
    checksum = reduce(lambda so_far, each: so_far ^ each, text.encode(), 0)
    return f"${text}*{checksum:02X}\r\n".encode()


def _fix(when: datetime.datetime) -> bytes:
    """A fix of 48°07'N 11°31'E, as receivers tell it each second."""
    time, date = when.strftime("%H%M%S.00"), when.strftime("%d%m%y")
    return b"".join(
        map(
            _sentence,
            (
                f"GPRMC,{time},A,4807.038,N,01131.000,E,022.4,084.4,{date},003.1,W",
                f"GPGGA,{time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
                "GPGSA,A,3,04,05,09,12,24,25,29,31,,,,,2.5,1.3,2.1",
            ),
        )
    )


class _Receiver:
    """Sends a fix of the next second whenever asked to."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self.port = self._listening.getsockname()[1]
        self._when = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self._connected: socket.socket | None = None

    def send(self) -> None:
        if self._connected is None:
            self._connected, _ = self._listening.accept()
        self._when += datetime.timedelta(seconds=1)
        self._connected.sendall(_fix(self._when))

    def close(self) -> None:
        self._listening.close()
        if self._connected is not None:
            self._connected.close()


class Gpsd:
    """A running gpsd."""

    def __init__(self, receiver: _Receiver, client: socket.socket) -> None:
        self._receiver = receiver
        self._client = client
        self.times: list[dict[str, Any]] = []
        """The reports of class TOFF: the receiver's time (real) and the machine's when it came in (clock)."""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def fix(self) -> None:
        """Have the receiver send the next fix."""
        self._receiver.send()

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._client.makefile() as lines:
            for line in lines:
                told = json.loads(line)
                if told["class"] == "TOFF":
                    self.times.append(told)

    def close(self) -> None:
        """Stop listening."""
        self._client.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._client.close()


@contextmanager
def gpsd(package: Unpacked, folder: Path, port: int) -> Iterator[Gpsd]:
    """Run gpsd with one receiver; the port is where its clients come, one that nobody else has."""
    receiver = _Receiver()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [package.file("usr/sbin/gpsd"), "-N", "-n", "-S", str(port), f"tcp://127.0.0.1:{receiver.port}"],
            env=package.environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", port), PATIENCE)
                break
            except ConnectionRefusedError:
                assert process.poll() is None, (folder / "log").read_text()
        client.settimeout(None)
        client.sendall(b'?WATCH={"enable":true,"json":true,"timing":true,"pps":true};\n')
        daemon = Gpsd(receiver, client)
        try:
            yield daemon
        finally:
            daemon.close()
    finally:
        process.terminate()
        process.wait(PATIENCE)
        receiver.close()
