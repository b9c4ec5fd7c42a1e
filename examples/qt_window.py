"""A window that shows the newest version of a region: Qt's own loop is woken by the region, and nothing polls.

    python examples/qt_window.py [--offscreen] [--versions 50]

A Notifier has a file descriptor, which is readable while one of its regions has something new; on Windows it has the
handle of an event. QSocketNotifier and QWinEventNotifier wait for those beside all else that Qt waits for. The window
is closed after so many versions.
"""

import argparse
import multiprocessing
import os
import sys
import time

import typedshm
from typedshm import Struct, Topic, f64, u64

try:
    from PySide6 import QtCore, QtWidgets
except ImportError as error:
    sys.exit(f"qt_window.py needs PySide6 (pip install PySide6-Essentials) and the libraries that Qt needs: {error}")


class Motor(Struct):
    """What a motor reports."""

    tick: u64
    celsius: f64


MOTOR = Topic("motor", Motor)


def publish(count: int) -> None:
    """Be the motor, in another process."""
    with MOTOR.attach(timeout=10) as region:
        for tick in range(1, count + 1):
            time.sleep(0.02)
            region.write(Motor(tick=tick, celsius=20 + tick / 10))


class Window(QtWidgets.QLabel):
    """A label that shows the newest version, until that is the last."""

    def __init__(self, region: typedshm.Region[Motor], last: int) -> None:
        super().__init__("waiting for the motor")
        self.region, self.last, self.woken = region, last, 0
        self.notifier = typedshm.Notifier(region)
        if sys.platform == "win32":
            self.source = QtCore.QWinEventNotifier(self.notifier.handle)
        else:
            self.source = QtCore.QSocketNotifier(self.notifier.fileno(), QtCore.QSocketNotifier.Type.Read)
        self.source.activated.connect(self.show_newest)

    def show_newest(self) -> None:
        """Show what is new; Qt's loop calls this."""
        self.notifier.clear()  # before reading: what comes after it wakes Qt again
        self.woken += 1
        motor = self.region.read()
        self.setText(f"tick {motor.tick}: {motor.celsius:.1f} °C")
        if motor.tick == self.last:
            self.source.setEnabled(False)
            self.notifier.close()
            self.close()  # the last window, so that Qt's loop ends


def main() -> None:
    parser = argparse.ArgumentParser(description="A window that is woken by a region.")
    parser.add_argument("--offscreen", action="store_true", help="draw nothing, as where there is no display")
    parser.add_argument("--versions", type=int, default=50, help="how many the motor publishes, one each 20 ms")
    options = parser.parse_args()
    if options.offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = QtWidgets.QApplication([])
    with MOTOR.create() as region:
        window = Window(region, options.versions)
        window.show()
        motor = multiprocessing.get_context("spawn").Process(target=publish, args=(options.versions,))
        motor.start()
        application.exec()
        motor.join()
    print(f"The window showed, at last: {window.text()}")
    print(f"Qt was woken {window.woken} times for {options.versions} versions; nothing polled.")
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    main()
