"""Sensors: a document of another program's memory at a path of one's own, with rows and a text."""

import json
from pathlib import Path
from typing import Any

from typedshm import Struct, f32, u32
from typedshm.foreign import Publisher


class Head(Struct):
    polls: u32
    count: u32
    length: u32


class Reading(Struct):
    id: u32
    value: f32


def layout(struct: type[Struct]) -> Any:
    """Return a layout as documents have it in them."""
    return json.loads(struct.layout.to_document())["layout"]


def document(folder: Path, *names: str) -> Path:
    """Write a document, and return its path. Each name is a source, in a file of that name beside the document."""
    sources = [
        {
            "name": name,
            "names": {system: [f"{folder.as_posix()}/{name}"] for system in ("linux", "windows", "darwin")},
            "rule": {"kind": "still", "tick": "polls"},
            "layouts": [{"layout": layout(Head)}],
            "parts": [
                {"name": "readings", "layout": layout(Reading), "offset": 64, "count": "count"},
                {"name": "title", "text": {"encoding": "utf-8"}, "offset": 4096, "length": "length"},
            ],
        }
        for name in names
    ]
    content = {
        "typedshm": 1,
        "value": "foreign",
        "program": "Sensors, for tests",
        "provenance": [{"from": "these tests", "checked": "live", "on": "2026-11"}],
        "licence": "none",
        "sizes": {},
        "sources": sources,
    }
    file = folder / "sensors.json"
    file.write_text(json.dumps(content))
    return file


def publisher(document: Path) -> Publisher:
    """Return what publishes to all sources of the document."""
    return Publisher(document, size=8192)


def publish(to: Publisher, values: list[float], title: str = "PC", source: str = "") -> None:
    """Publish readings of these values."""
    rows = [Reading(id=number, value=value) for number, value in enumerate(values)]
    to.write({"polls": 0}, source, readings=rows, title=title)
