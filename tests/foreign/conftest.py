"""At the end of a run: the programs of others that the tests met, with their versions."""

import pytest

from helpers import programs


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = programs.reported()
    if lines:
        terminalreporter.section("other programs")
        for line in lines:
            terminalreporter.write_line(line)
