"""What Wine 8 lacks and Python asks for: entry points that end the process when they are called."""

import os
import sys

if sys.platform == "win32":
    import _winapi

    sys.modules["_wmi"] = None  # type: ignore[assignment]
    if hasattr(_winapi, "CopyFile2"):
        del _winapi.CopyFile2
    os.getppid = lambda: 0
