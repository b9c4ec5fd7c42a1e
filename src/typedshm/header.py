"""Where the C header of the protocol is, for programs that read and write regions without Python."""

from pathlib import Path


def get_include() -> str:
    """Return the folder that holds ``typedshm.h``, for a C or C++ compiler's ``-I``."""
    return str(Path(__file__).parent / "include")
