"""Arbitrary bytes as a recording: it is refused by RecordingCorrupt, or read as far as it goes.

    python fuzz_recording.py [--seconds N] [--seed N]

Inputs are recordings whose bytes are changed, records and lengths more often than others. With atheris installed, which
tells new paths through the code from old ones, it goes deeper; without, inputs are drawn from the examples alone. An
input that ends in another error, takes more than 10 seconds or more than 2 GiB ends the run, and is shown.
"""

import argparse
import faulthandler
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

try:
    import atheris
except ImportError:
    atheris = None
    from typedshm import recording
else:
    with atheris.instrument_imports(include=["typedshm.recording"]):
        from typedshm import recording

try:
    import resource
except ImportError:  # Windows, where nothing bounds the memory
    resource = None

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.damaged import heads_in, read_all, small_file, tiny_file

SECONDS_FOR_ONE, BYTES_FOR_ONE = 10, 2**31
HUGE = (0, 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def examples(folder: Path) -> Iterator[bytes]:
    """Recordings of all compressions and encodings, and one that is not finished."""
    yield tiny_file(folder / "tiny.mcap").read_bytes()
    for compression in (None, "lz4", "zstd"):
        yield small_file(folder / f"{compression}.mcap", compression).read_bytes()
    yield (folder / "None.mcap").read_bytes()[:-100]


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Change some bytes, a length, or where a record is."""
    changed = bytearray(data)
    heads = [*heads_in(data)]
    choice = draw.randrange(6)
    if choice == 0 and heads:
        at = draw.choice(heads) + 1
        changed[at : at + 8] = draw.choice(HUGE).to_bytes(8, "little")
    elif choice == 1 and len(heads) > 1:
        first, second = sorted(draw.sample(heads, 2))
        changed[first:second] = b""
    elif choice == 2 and len(heads) > 1:
        first, second = sorted(draw.sample(heads, 2))
        changed[second:second] = changed[first:second]
    elif choice == 3:
        del changed[draw.randrange(len(changed) + 1) :]
    elif changed:
        for _ in range(draw.randrange(1, 6)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


class _Run:
    """What was tried, and until when."""

    def __init__(self, seconds: int, seed: int, folder: Path) -> None:
        self.seed = seed
        self._path = folder / "input.mcap"
        self._end = time.monotonic() + seconds
        self._counts = {True: 0, False: 0}
        warnings.simplefilter("ignore", recording.RecordingWarning)

    def one(self, data: bytes) -> bool:
        """Try an input, and tell if it was a recording; it is shown if it fails."""
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        try:
            found = self._check(data)
            self._counts[found] += 1
            return found
        except BaseException:
            print(f"fuzz_recording: --seed {self.seed}, an input of {len(data)} bytes: {data!r}", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _check(self, data: bytes) -> bool:
        self._path.write_bytes(data)
        try:
            read_all(self._path)
        except recording.RecordingCorrupt:
            return False
        return True

    def is_over(self) -> bool:
        """True when the time is up."""
        return time.monotonic() > self._end

    def __str__(self) -> str:
        how = "by coverage" if atheris else "at random"
        tried, recordings = sum(self._counts.values()), self._counts[True]
        return f"fuzz_recording: --seed {self.seed}, {how}: {tried} inputs, {recordings} of them recordings"


def _draw(run: _Run, seeds: list[bytes]) -> None:
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES_FOR_ONE, BYTES_FOR_ONE))
    draw = random.Random(run.seed)
    while not run.is_over():
        data = draw.choice(seeds)
        for _ in range(draw.randrange(4)):
            data = mutate(data, draw)
        run.one(data)


def _explore(run: _Run, seeds: list[bytes], folder: Path) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)

    def one(data: bytes) -> int:
        found = run.one(data)
        if run.is_over():  # libFuzzer's own end is that of the process, without a word
            print(run)
            sys.stdout.flush()
            shutil.rmtree(folder)
            os._exit(0)
        return 0 if found else -1  # no good to start from

    limits = [f"-timeout={SECONDS_FOR_ONE}", f"-rss_limit_mb={BYTES_FOR_ONE >> 20}", "-max_len=32768"]
    atheris.Setup(
        [sys.argv[0], f"-seed={run.seed}", *limits, f"-artifact_prefix={folder}/", "-verbosity=0", str(corpus)],
        one,
        custom_mutator=lambda data, size, seed: mutate(data, random.Random(seed))[:size],
    )
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = [*examples(folder)]
        run = _Run(options.seconds, options.seed, folder)
        for data in seeds:
            assert run.one(data)
        if atheris:
            _explore(run, seeds, folder)
        _draw(run, seeds)
    print(run)


if __name__ == "__main__":
    main()
