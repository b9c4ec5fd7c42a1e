"""The location of the C header, for programs that read and write regions without Python."""

import os


def get_include() -> str:
    """Return the folder that holds ``typedshm.h``, for a C or C++ compiler's ``-I``."""
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "include")
