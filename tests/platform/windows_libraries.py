"""Import libraries of the stable ABI for each kind of Windows: python windows_libraries.py PYTHON FOLDER.

A library for linking holds no more than names. Those that ``python3.dll`` exports are the same on every machine, so a
Windows Python for x86-64 is enough to make ``python3.lib`` for 32-bit Windows and for ARM64 too.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pefile

MACHINES = {"win_amd64": "i386:x86-64", "win32": "i386", "win_arm64": "arm64"}
EXECUTABLE = 0x20000000  # IMAGE_SCN_MEM_EXECUTE


def exports(python: Path) -> Iterator[str]:
    """Lines of a module definition: the names python3.dll passes on, and which of them are variables."""
    (real,) = python.glob("python3[0-9]*.dll")
    library = pefile.PE(str(real))
    section = {
        symbol.name: library.get_section_by_rva(symbol.address) for symbol in library.DIRECTORY_ENTRY_EXPORT.symbols
    }
    for symbol in pefile.PE(str(python / "python3.dll")).DIRECTORY_ENTRY_EXPORT.symbols:
        if symbol.name in section:  # some exist in debug builds only
            code = section[symbol.name].Characteristics & EXECUTABLE
            yield symbol.name.decode() + ("" if code else " DATA")


def main() -> None:
    """Write FOLDER/PLATFORM/python3.lib for each platform."""
    python, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    definition = folder / "python3.def"
    definition.write_text("\n".join(["LIBRARY python3.dll", "EXPORTS", *exports(python), ""]))
    for platform, machine in MACHINES.items():
        (folder / platform).mkdir(exist_ok=True)
        command = [sys.executable, "-m", "ziglang", "dlltool", "-m", machine, "-d", str(definition)]
        subprocess.run([*command, "-l", str(folder / platform / "python3.lib")], check=True)


if __name__ == "__main__":
    main()
