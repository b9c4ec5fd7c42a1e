"""Tests of the command line are left out where its libraries, or the emulator of a terminal, are not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if all(map(find_spec, ("click", "rich", "pyte"))) else ["test_*.py"]
