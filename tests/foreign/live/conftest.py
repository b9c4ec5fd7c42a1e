"""Programs that run on Linux alone."""

import sys

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]
