"""RivaTuner Statistics Server: a row for each program that draws, of which it counts the frames."""

from collections.abc import Mapping
from typing import Any, ClassVar

from game import Game, Update
from gauges import Meter, Meters
from machine import load

LIVE, DEAD = int.from_bytes(b"SSTR", "little"), 0xDEAD
PROGRAMS = {4711: "C:\\Games\\nowhere.exe", 4712: "C:\\Tools\\overlay.exe"}
APP_SIZE, APPS, OSD_SIZE, OSDS = 12_416, 256, 45_568, 8


class Rtss(Game):
    """Frames are counted over a second."""

    name: ClassVar[str] = "rtss"
    document: ClassVar[str] = "rtss"
    hz: ClassVar[float] = 10
    sources: ClassVar[tuple[str, ...]] = ("statistics",)
    sizes: ClassVar[Mapping[str, int]] = {"statistics": 96 + OSD_SIZE * OSDS + APP_SIZE * APPS}

    def live(self, source: str, time: float, number: int) -> Update:
        del source
        now = round(1000 * time)
        rows = []
        for position, (pid, name) in enumerate(PROGRAMS.items()):
            fps = (143 - 60 * load(time)) / (1 + position)
            rows.append(
                {
                    "pid": pid,
                    "name": name,
                    "time0": max(0, now - 1000),
                    "time1": now,
                    "frames": round(fps * min(1000, now) / 1000),
                    "frame_time": round(1e6 / fps),
                }
            )
        head = {
            "signature": LIVE,
            "version": 0x0002_0015,
            "app_offset": 96 + OSD_SIZE * OSDS,
            "app_size": APP_SIZE,
            "osd_offset": 96,
            "osd_size": OSD_SIZE,
            "osd_count": OSDS,
            "osd_frame": number,
        }
        return Update(head, {"apps": rows})

    def dead(self, source: str) -> Update:
        del source
        return Update({"signature": DEAD})

    def gauges(self, values: Mapping[str, Any]) -> Meters:
        rows = [row for row in values["statistics"].apps if row.pid]
        return Meters([Meter("programs", row.name.rpartition("\\")[2], fps(row), "FPS", 0.0, 240.0) for row in rows])


def fps(row: Any) -> float:
    """Return the frames of a second."""
    milliseconds = row.time1 - row.time0
    return 1000 * row.frames / milliseconds if milliseconds else 0.0
