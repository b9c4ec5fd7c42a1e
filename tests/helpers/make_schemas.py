"""Writes the files of schemas/ from the code and the Structs of the examples; to be run after changing either."""

import sys
from pathlib import Path
from typing import Any

from typedshm import Struct

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "examples" / "camera")]

from consumer import ConsumerReport  # noqa: E402
from frame import CameraFrame  # noqa: E402
from helpers import foreign_models  # noqa: E402
from helpers.document_models import json_schema  # noqa: E402
from helpers.foreign_sources import isi, kunos, monitors, sims, system, trackers, trucks  # noqa: E402
from helpers.pretty import pretty  # noqa: E402
from motion import Motion  # noqa: E402

EXAMPLES: dict[str, type[Struct]] = {
    "camera-frame": CameraFrame,
    "camera-motion": Motion,
    "consumer-report": ConsumerReport,
}

FOREIGN: dict[str, dict[str, Any]] = {
    name: content
    for family in (isi, kunos, monitors, sims, system, trackers, trucks)
    for name, content in family.DOCUMENTS.items()
}


def files() -> dict[Path, bytes]:
    """What belongs into schemas/."""
    texts = {name: struct.layout.to_document("struct", indent=2) + b"\n" for name, struct in EXAMPLES.items()}
    texts |= {name: pretty(content) for name, content in FOREIGN.items()}
    texts |= {"layout.schema": json_schema(), "foreign.schema": foreign_models.json_schema()}
    return {ROOT / "schemas" / f"{name}.json": text for name, text in texts.items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_bytes(text)
