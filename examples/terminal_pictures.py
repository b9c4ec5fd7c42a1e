"""Pictures of the command line at work on the camera example: SVGs for documents, and casts that asciinema plays.

python examples/terminal_pictures.py [--folder examples/pictures] [--seconds 4]

A camera (or the test pattern, if there is none) is published; ``ls``, ``watch`` and ``layout --svg`` look at it, each
in a terminal of its own whose output is kept. Not on Windows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import pexpect
import pyte

import typedshm

HERE = Path(__file__).parent
FOLDER = Path(tempfile.gettempdir()) / "typedshm-pictures"
CAMERA = HERE / "camera" / "capture.py"
WIDTH, HEIGHT = 8.4, 18.0  # pixels of a letter
BARS = "▁▂▃▄▅▆▇█"
LIGHT, DARK = "d8dee9", "1e222a"
COLOURS = {
    "black": "3b4252",
    "red": "bf616a",
    "green": "a3be8c",
    "brown": "ebcb8b",
    "blue": "81a1c1",
    "magenta": "b48ead",
    "cyan": "88c0d0",
    "white": "e5e9f0",
}


def record(
    arguments: list[str], columns: int, lines: int, seconds: float
) -> tuple[pyte.Screen, list[tuple[float, str]]]:
    """Run a command in a terminal until it ends, or for some seconds; return its screen, and what it wrote when."""
    screen = pyte.Screen(columns, lines)
    stream = pyte.Stream(screen)
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONIOENCODING": "utf-8"}
    program = pexpect.spawn(
        sys.executable, ["-m", "typedshm", *arguments], env=environment, dimensions=(lines, columns), encoding="utf-8"
    )
    written: list[tuple[float, str]] = []
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            text = program.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            continue
        except pexpect.EOF:
            break
        stream.feed(text)
        written.append((time.monotonic() - begun, text))
    program.close(force=True)
    return screen, written


def cast(written: list[tuple[float, str]], columns: int, lines: int) -> str:
    """Return a recording in asciinema's format, version 2."""
    heading = {"version": 2, "width": columns, "height": lines, "env": {"TERM": "xterm-256color"}}
    return "\n".join(map(json.dumps, [heading, *([round(at, 3), "o", text] for at, text in written)])) + "\n"


def picture(screen: pyte.Screen, title: str) -> str:
    """Return a screen as an SVG that looks the same in every font: each letter has a place of its own."""
    lines = max((row for row in range(screen.lines) if screen.display[row].strip()), default=0) + 1
    width, height = screen.columns * WIDTH + 24, lines * HEIGHT + 48
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="#{DARK}"/>',
        *(
            f'<circle cx="{18 + 18 * n}" cy="16" r="5" fill="#{c}"/>'
            for n, c in enumerate(("bf616a", "ebcb8b", "a3be8c"))
        ),
        f'<text x="{width / 2:.0f}" y="20" text-anchor="middle" font-family="sans-serif" font-size="12" '
        f'fill="#9aa5b5">{escape(title)}</text>',
        '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
    ]
    for row in range(lines):
        areas: list[Area] = []
        texts: list[str] = []
        for column in range(screen.columns):
            letter = screen.buffer[row][column]
            areas += areas_of(letter, column, row)
            texts += text_of(letter, 12 + column * WIDTH, 32 + row * HEIGHT)
        parts += [area.svg() for area in merged(areas)] + texts
    return "\n".join([*parts, "</g></svg>"]) + "\n"


class Area(NamedTuple):
    """Filled columns of a row, or a part of their height."""

    top: float
    bottom: float
    fill: str
    column: int
    columns: int = 1

    def svg(self) -> str:
        """Return it for the picture."""
        x, y = 12 + self.column * WIDTH, 32 + self.top * HEIGHT
        width, height = self.columns * WIDTH + 0.3, (self.bottom - self.top) * HEIGHT + 0.3
        return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#{self.fill}"/>'


def merged(areas: list[Area]) -> list[Area]:
    """Join areas of one row that touch and look alike."""
    joined: list[Area] = []
    for area in sorted(areas):
        last = joined[-1] if joined else area
        if joined and last[:3] == area[:3] and last.column + last.columns == area.column:
            joined[-1] = last._replace(columns=last.columns + 1)
        else:
            joined.append(area)
    return joined


def areas_of(letter: pyte.screens.Char, column: int, row: int) -> list[Area]:
    """Return the background of a letter, and the letters that are areas: half-blocks and bars."""
    front, back = colours_of(letter)
    areas = [Area(row, row + 1, back, column)] if back != DARK else []
    if letter.data == "▀":
        areas = [Area(row, row + 0.5, front, column), Area(row + 0.5, row + 1, back, column)]
    elif letter.data.strip() and letter.data in BARS:
        areas.append(Area(row + 1 - (1 + BARS.index(letter.data)) / 8, row + 1, front, column))
    return areas


def text_of(letter: pyte.screens.Char, x: float, y: float) -> list[str]:
    """Return a letter as text, if it is none of those."""
    if not letter.data.strip() or letter.data in f"▀{BARS}":
        return []
    weight = ' font-weight="bold"' if letter.bold else ""
    front, _ = colours_of(letter)
    return [f'<text x="{x:.1f}" y="{y + 14:.1f}" fill="#{front}"{weight}>{escape(letter.data)}</text>']


def colours_of(letter: pyte.screens.Char) -> tuple[str, str]:
    """Return the colours of a letter and of what is behind it."""
    front, back = colour(letter.fg, LIGHT), colour(letter.bg, DARK)
    return (back, front) if letter.reverse else (front, back)


def colour(name: str, default: str) -> str:
    """Return a colour of the terminal in hexadecimal."""
    return default if name == "default" else COLOURS.get(name.removeprefix("bright"), name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"where they go (default: {FOLDER})")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to watch (default: 4)")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    camera = subprocess.Popen([sys.executable, str(CAMERA), "--slots", "5"], stdout=subprocess.DEVNULL)
    try:
        with typedshm.attach("camera", timeout=30) as region:
            region.wait(timeout=30)
        for name, arguments, columns, lines, seconds in (
            ("ls", ["ls"], 100, 12, 30.0),
            ("watch", ["watch", "camera"], 100, 30, options.seconds),
        ):
            screen, written = record(arguments, columns, lines, seconds)
            title = f"typedshm {' '.join(arguments)}"
            (options.folder / f"{name}.svg").write_text(picture(screen, title), encoding="utf-8")
            (options.folder / f"{name}.cast").write_text(cast(written, columns, lines), encoding="utf-8")
        layout = [sys.executable, "-m", "typedshm", "layout", "camera", "--svg", str(options.folder / "layout.svg")]
        subprocess.run(layout, check=True, stdout=subprocess.DEVNULL)
    finally:
        camera.terminate()
        camera.wait()
    print(*sorted(str(file) for file in options.folder.iterdir()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
