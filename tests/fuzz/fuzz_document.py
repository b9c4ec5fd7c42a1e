"""Arbitrary bytes as a layout document: ``attach(name)`` without a class refuses them by DocumentError or believes.

    python fuzz_document.py [--seconds N] [--seed N]

Inputs are JSON changed node by node, since bytes changed at random are hardly ever JSON. With atheris installed, which
tells new paths through the code from old ones, it goes deeper; without, inputs are drawn from the examples alone. An
input on which the parser and the models of pydantic disagree, or that ends in another error, takes more than 10 seconds
or more than 2 GiB ends the run, and is shown.
"""

import argparse
import contextlib
import faulthandler
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

try:
    import atheris
except ImportError:
    atheris = None
    import typedshm
else:
    with atheris.instrument_imports(include=["typedshm"]):
        import typedshm

from typedshm.layout import document
from typedshm.schema.base import Schema
from typedshm.schema.resolve import schema_from_document

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.document_models import agreed
from helpers.documents import examples, mutate

SECONDS_FOR_ONE, BYTES_FOR_ONE = 10, 2**31

# ---- what has to hold ----------------------------------------------------------------------------------------------


def check(text: bytes) -> bool:
    """True if it is a document; it then has to behave like one."""
    if agreed(text) is None:
        return False
    try:
        schema = schema_from_document(text)
    except typedshm.DocumentError:
        return False
    layout = schema.layout
    assert layout.fields[-1].end <= layout.size <= 2**40
    again, value = document.parse(layout.to_document(schema.value))
    assert (again, again.id, value) == (layout, layout.id, schema.value)
    if layout.size <= 65536:
        look_at_values(schema)
    return True


def look_at_values(schema: Schema[Any]) -> None:
    """Whatever bytes a value is made of, to look at it is an error of ours at most."""
    assert len(schema.defaults) == schema.layout.size
    for byte in (0, 0x80, 0xFF):
        value = schema.make()
        np.frombuffer(value, np.uint8)[:] = byte
        if schema.struct is None:
            continue
        for field in schema.layout.fields:
            with contextlib.suppress(typedshm.TypedshmError):  # text that is none, a number beyond its enum
                getattr(value, field.name)


# ---- the run -------------------------------------------------------------------------------------------------------


class _Run:
    """What was tried, and until when."""

    def __init__(self, seconds: int, seed: int) -> None:
        self.seed = seed
        self._end = time.monotonic() + seconds
        self._counts = {True: 0, False: 0}

    def one(self, text: bytes) -> bool:
        """Try an input, and tell if it was a document; it is shown if it fails."""
        faulthandler.dump_traceback_later(SECONDS_FOR_ONE, exit=True)
        try:
            found = check(text)
            self._counts[found] += 1
            return found
        except BaseException:
            print(f"fuzz_document: --seed {self.seed}, an input of {len(text)} bytes: {text!r}", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()

    def is_over(self) -> bool:
        """True when the time is up."""
        return time.monotonic() > self._end

    def __str__(self) -> str:
        how = "by coverage" if atheris else "at random"
        tried, documents = sum(self._counts.values()), self._counts[True]
        return f"fuzz_document: --seed {self.seed}, {how}: {tried} inputs, {documents} of them documents"


def _draw(run: _Run) -> None:
    import resource  # which Windows lacks

    resource.setrlimit(resource.RLIMIT_AS, (BYTES_FOR_ONE, BYTES_FOR_ONE))
    draw = random.Random(run.seed)
    seeds = list(examples())
    while not run.is_over():
        text = draw.choice(seeds)
        for _ in range(draw.randrange(4)):
            text = mutate(text, draw)
        run.one(text)


def _explore(run: _Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(examples()):
            (Path(folder) / str(number)).write_bytes(text)

        def one(text: bytes) -> int:
            found = run.one(text)
            if run.is_over():  # libFuzzer's own end is that of the process, without a word
                print(run)
                sys.stdout.flush()
                shutil.rmtree(folder)
                os._exit(0)
            return 0 if found else -1  # no good to start from

        limits = [f"-timeout={SECONDS_FOR_ONE}", f"-rss_limit_mb={BYTES_FOR_ONE >> 20}", "-max_len=32768"]
        atheris.Setup(
            [sys.argv[0], f"-seed={run.seed}", *limits, f"-artifact_prefix={folder}/", "-verbosity=0", folder],
            one,
            custom_mutator=lambda text, size, seed: mutate(text, random.Random(seed))[:size],
        )
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    options = parser.parse_args()
    run = _Run(options.seconds, options.seed)
    for text in examples():
        assert check(text), text
    if atheris:
        _explore(run)
    _draw(run)
    print(run)


if __name__ == "__main__":
    main()
