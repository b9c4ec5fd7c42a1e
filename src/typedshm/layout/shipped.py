"""The files with documents: those that come with typedshm, by their names, and any by its path."""

import os
from typing import cast

from typedshm.errors import DocumentError, found
from typedshm.layout.layout import DOCUMENT_LIMIT

_JSON_SCHEMA = ".schema"
"""The end of the names of those files, but for the suffix, that hold the JSON Schemas of documents."""


def shipped() -> dict[str, str]:
    """Return the paths of the documents that come with typedshm, by name, in the order of the names."""
    # not by importlib.resources, which takes longer to import than the rest of typedshm: a package with a C extension
    # is never in a zip file
    here = os.path.dirname(os.path.dirname(__file__))  # the package's folder
    folder = os.path.join(here, "schemas")
    if not os.path.isdir(folder):  # a source checkout keeps them at its top
        folder = os.path.join(here, "..", "..", "schemas")
    if not os.path.isdir(folder):
        raise DocumentError(
            f"{os.path.join(here, 'schemas')} is missing: include the data of the package typedshm in the frozen "
            "program, or give the path of a document"
        )
    names = (name.removesuffix(".json") for name in sorted(os.listdir(folder)) if name.endswith(".json"))
    return {name: os.path.join(folder, f"{name}.json") for name in names if not name.endswith(_JSON_SCHEMA)}


def read(name: str | os.PathLike[str], parameter: str = "name") -> tuple[bytes, str, tuple[str, ...]]:
    """Return the text of a document, what messages call it, and the path inside it: of ``"acc/physics"`` the last word.

    Parameters
    ----------
    name : str or path
        The name of a document that comes with typedshm, or the path of a file, as a Path or a str that ends in
        ``.json``; and perhaps a path inside it, as in ``"sensors.json/readings"``.
    parameter : str
        What messages call the name.

    Raises
    ------
    DocumentError
        If no document has that name; the message lists them.
    OSError
        If the file cannot be read.
    """
    if not isinstance(cast("object", name), str | os.PathLike):
        raise TypeError(f"{parameter}: expected a str or a pathlib.Path, found {found(name)}")
    inside: list[str] = []
    if isinstance(name, os.PathLike) or name.endswith(".json"):
        file = where = os.fspath(name)
    elif ".json/" in name:
        file, _, rest = name.rpartition(".json/")
        file = where = f"{file}.json"
        inside = rest.split("/")
    else:
        where, *inside = name.split("/")
        files = shipped()
        if where not in files:
            raise DocumentError(
                f"{parameter}: expected one of the documents {', '.join(files)} or a path, found {name!r}"
            )
        file = files[where]
    with open(file, "rb") as opened:
        return opened.read(DOCUMENT_LIMIT + 1), where, tuple(inside)  # a document that is longer is refused, unread
