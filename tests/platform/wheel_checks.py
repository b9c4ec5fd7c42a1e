"""A wheel, checked without running it: python wheel_checks.py WHEEL PYTHON3_DLL.

Name and tag agree, what belongs in it is there and nothing else, and its binary is of the machine the tag names and
asks for no more of the system than the tag promises, and of Python no more than the stable ABI has.
"""

import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pefile
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

PRESENT = (
    *("typedshm/__init__.py", "typedshm/_native.pyi", "typedshm/py.typed", "typedshm/include/typedshm.h"),
    *("typedshm/packaging/hook-typedshm.py", "{info}/entry_points.txt"),
    *("typedshm/schemas/layout.schema.json", "typedshm/schemas/camera-frame.json"),
    *("typedshm/schemas/foreign.schema.json", "typedshm/schemas/mumble-link.json"),
    *("{info}/METADATA", "{info}/RECORD", "{info}/licenses/LICENSE_MIT", "{info}/licenses/LICENSE-APACHE"),
)
KNOWN = re.compile(
    r"typedshm/(\w+/)*[\w-]+\.pyi?|typedshm/py\.typed|typedshm/include/typedshm\.h|typedshm/schemas/[\w.-]+\.json"
    r"|typedshm/_native(\.abi3\.so|\.pyd)|{info}/(METADATA|WHEEL|RECORD|entry_points\.txt|licenses/LICENSE[_-]\w+)"
)

GLIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2"}
MUSL: set[str] = set()  # its name differs from one musl to the next; Python has it loaded
# Windows 8 and later has these; the C library is the universal one, which CPython itself uses
WINDOWS = re.compile(r"python3\.dll|(kernel32|advapi32|ntdll)\.dll|api-ms-win-(core|crt)-[\w-]+\.dll", re.IGNORECASE)

ELF_MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
PE_MACHINES = {"win_amd64": 0x8664, "win32": 0x14C, "win_arm64": 0xAA64}
MACH_MACHINES = {"x86_64": 0x01000007, "arm64": 0x0100000C}


def names(wheel: zipfile.ZipFile, platform: str, info: str) -> Iterator[str]:
    """What is wrong with the names in it."""
    present = set(wheel.namelist())
    for wanted in (name.format(info=info) for name in PRESENT):
        if wanted not in present:
            yield f"{wanted} is missing"
    known = KNOWN.pattern.replace("{info}", re.escape(info))
    for name in present:
        if not re.fullmatch(known, name):
            yield f"{name} does not belong in it"
    said = re.findall(r"^Tag: (.*)$", wheel.read(f"{info}/WHEEL").decode(), re.MULTILINE)
    if said != [f"cp311-abi3-{platform}"]:
        yield f"its tags are {said}, by its name it is cp311-abi3-{platform}"


def elf(binary: bytes, platform: str) -> Iterator[str]:
    """What a Linux binary asks for that its platform does not promise."""
    libc, machine = platform.split("_", 1)[0], re.sub(r"^\w+linux_\d+_\d+_", "", platform)
    file = ELFFile(io.BytesIO(binary))
    if file["e_machine"] != ELF_MACHINES[machine]:
        yield f"it is for {file['e_machine']}"
    dynamic = next(section for section in file.iter_sections() if isinstance(section, DynamicSection))
    needed = {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}
    allowed = GLIBC if libc == "manylinux" else MUSL
    for library in needed - allowed:
        yield f"it needs {library}; {platform} promises {sorted(allowed)}"
    for symbol in file.get_section_by_name(".dynsym").iter_symbols():
        if symbol["st_shndx"] == "SHN_UNDEF" and re.match(r"__(aarch64|atomic|sync)_", symbol.name):
            yield f"it needs {symbol.name}, which is in libatomic or libgcc"
    limit = tuple(map(int, platform.split("_")[1:3]))
    versions = next((section for section in file.iter_sections() if isinstance(section, GNUVerNeedSection)), None)
    for _, symbols in versions.iter_versions() if versions else ():
        for symbol in symbols:
            found = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", symbol.name)
            if libc != "manylinux" or not found or (int(found[1]), int(found[2])) > limit:
                yield f"it needs {symbol.name}"


def pe(binary: bytes, platform: str, python: Path) -> Iterator[str]:
    """What a Windows binary asks for that its platform does not promise."""
    file = pefile.PE(data=binary)
    if file.FILE_HEADER.Machine != PE_MACHINES[platform]:
        yield f"it is for machine {file.FILE_HEADER.Machine:#x}"
    stable = {symbol.name for symbol in pefile.PE(str(python)).DIRECTORY_ENTRY_EXPORT.symbols}
    for library in file.DIRECTORY_ENTRY_IMPORT:
        name = library.dll.decode()
        if not WINDOWS.fullmatch(name):
            yield f"it needs {name}"
        if name.lower() == "python3.dll":
            for symbol in library.imports:
                if symbol.name not in stable:
                    yield f"{symbol.name.decode()} is not in python3.dll"
    exported = [symbol.name for symbol in file.DIRECTORY_ENTRY_EXPORT.symbols]
    if exported != [b"PyInit__native"]:
        yield f"it exports {exported}"


def mach(binary: bytes, platform: str) -> Iterator[str]:
    """What a macOS binary asks for that its platform does not promise."""
    machine = platform.split("_", 3)[3]
    if int.from_bytes(binary[4:8], "little") != MACH_MACHINES[machine]:
        yield f"it is not for {machine}"
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        Path(file.name).write_bytes(binary)
        checker = Path(__file__).with_name("macos_symbols.py")
        found = subprocess.run([sys.executable, str(checker), file.name], capture_output=True, text=True, check=False)
    if found.returncode:
        yield found.stderr.strip()


def check(path: Path, python: Path) -> Iterator[str]:
    """Everything that is wrong with a wheel."""
    match = re.fullmatch(r"(typedshm-[\d.]+\w*)-cp311-abi3-(\w+)\.whl", path.name)
    if not match:
        yield "this is no name of a stable-ABI wheel of ours"
        return
    info, platform = f"{match[1]}.dist-info", match[2]
    with zipfile.ZipFile(path) as wheel:
        yield from names(wheel, platform, info)
        binaries = [name for name in wheel.namelist() if name.startswith("typedshm/_native.") and "pyi" not in name]
        if binaries != [f"typedshm/_native{'.pyd' if platform.startswith('win') else '.abi3.so'}"]:
            yield f"its binaries are {binaries}"
            return
        binary = wheel.read(binaries[0])
    if platform.startswith("win"):
        yield from pe(binary, platform, python)
    elif platform.startswith("macosx"):
        yield from mach(binary, platform)
    else:
        yield from elf(binary, platform)


def main() -> None:
    """Check the wheel that was named."""
    path = Path(sys.argv[1])
    if problems := list(check(path, Path(sys.argv[2]))):
        raise SystemExit("\n".join(f"{path.name}: {problem}" for problem in problems))
    print(f"{path.name}: checked")


if __name__ == "__main__":
    main()
