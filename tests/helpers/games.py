"""The emulators of examples/games, as modules: what they publish is what the tests read."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples" / "games"

if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))
