"""Rules that every source file keeps, each as one test that names all files that break it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest


def every(files: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make one test of a rule for a file, since a test takes longer to set up than most files to look at."""

    def test_of(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            broken: list[str] = []
            for file in files:
                try:
                    rule(file)
                except AssertionError as error:
                    broken.append(f"{file.name}: {error}")
            if broken:
                pytest.fail("\n".join(broken), pytrace=False)

        return test

    return test_of
