"""What a Mach-O extension module asks of the system, checked: python macos_symbols.py FILE.

Linking with ``-undefined dynamic_lookup`` leaves every unknown name for later, a misspelt one as well. So each must be
Python's or be found in libSystem; and what only macOS 14.4 has must be a weak reference, or older ones cannot load it.
"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LC_SYMTAB = 0x2
N_UNDF_EXT, N_TYPE_AND_EXT, N_WEAK_REF = 0x01, 0x0F, 0x40
LIBRARIES_TO_COME = (0, 0xFE)  # as zig and as Apple write what -undefined dynamic_lookup has left open
SINCE_14_4 = ("_os_sync_wait_on_address_with_timeout", "_os_sync_wake_by_address_any", "_os_sync_wake_by_address_all")


def undefined(image: bytes) -> Iterator[tuple[str, int, bool]]:
    """The symbols a 64-bit Mach-O file leaves open: name, number of the library it is bound to, whether weakly."""
    magic, _, _, _, commands, _, _, _ = struct.unpack_from("<8I", image)
    if magic != 0xFEEDFACF:
        raise SystemExit("not a 64-bit Mach-O file")
    offset = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<2I", image, offset)
        if command == LC_SYMTAB:
            symbols, count, names, _ = struct.unpack_from("<4I", image, offset + 8)
            for at in range(symbols, symbols + 16 * count, 16):
                name, kind, _, description, _ = struct.unpack_from("<IBBHQ", image, at)
                if kind & N_TYPE_AND_EXT == N_UNDF_EXT:
                    start = names + name
                    text = image[start : image.index(b"\0", start)].decode()
                    yield text, description >> 8, bool(description & N_WEAK_REF)
        offset += size


def main() -> None:
    found = list(undefined(Path(sys.argv[1]).read_bytes()))
    problems = [
        f"{name}: neither Python's nor found in a library"
        for name, library, _ in found
        if library in LIBRARIES_TO_COME and not name.startswith(("_Py", "__Py"))
    ]
    weak = {name: weakly for name, _, weakly in found}
    problems += [f"{name}: expected a weak reference" for name in SINCE_14_4 if not weak.get(name)]
    problems += [
        f"{name}: a weak reference nobody checks" for name, weakly in weak.items() if weakly and name not in SINCE_14_4
    ]
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()
