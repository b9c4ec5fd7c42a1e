"""The location of the C header, for programs that read and write regions without Python."""

import os


def get_include() -> str:
    """Return the folder that holds ``typedshm.h``, for a C or C++ compiler's ``-I``.

    Raises
    ------
    FileNotFoundError
        This is a frozen program, and the package's data was not included.
    """
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "include")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder} is missing: include the data of the package typedshm in the frozen program")
    return folder
