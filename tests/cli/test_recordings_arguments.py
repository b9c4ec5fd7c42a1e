"""Arguments of the commands for recordings: spans of time, amounts, moments, limits."""

from datetime import UTC, datetime

import click
import pytest

from typedshm.cli.recordings.arguments import Moment, Rotation, Span, bytes_of, rotate_option, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("10", 10), ("10s", 10), ("1.5min", 90), ("2m", 120), ("500ms", 0.5), (".5h", 1800), ("1d", 86_400)),
        *(
            (" 3 s ", 3),
            ("0", 0),
            ("", None),
            ("s", None),
            ("-1", None),
            ("1e3", None),
            ("nan", None),
            ("\u0661", None),
        ),
    ],
)
def test_spans_of_time_are_read_in_any_unit(text: str, seconds: "float | None") -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        *(("1GB", 10**9), ("64MiB", 64 << 20), ("1.5kB", 1500), ("100B", 100), ("2 TB", 2 * 10**12)),
        *(("1", None), ("GB", None), ("1Gb", None), ("-1GB", None)),
    ],
)
def test_amounts_are_read_in_any_unit(text: str, amount: "int | None") -> None:
    assert bytes_of(text) == amount


def test_a_moment_is_a_time_since_the_start_or_a_date() -> None:
    convert = Moment().convert
    assert convert("1.5min", None, None) == 90
    assert convert("2026-12-01T12:00:00Z", None, None) == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert convert("2026-12-01T13:00:00+01:00", None, None) == datetime(2026, 12, 1, 12, tzinfo=UTC)
    local = convert("2026-12-01T12:00:00", None, None)
    assert local == datetime(2026, 12, 1, 12).astimezone()
    with pytest.raises(click.BadParameter, match="no moment"):
        convert("noon", None, None)


def test_a_span_is_more_than_nothing() -> None:
    with pytest.raises(click.BadParameter, match="'0' is no span of time"):
        Span().convert("0", None, None)


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ([], Rotation()),
        (["1GB"], Rotation(size=10**9)),
        (["60s"], Rotation(seconds=60)),
        (["10min", "64MiB"], Rotation(64 << 20, 600)),
    ],
)
def test_files_are_rotated_after_a_size_or_a_time_or_both(given: list[str], limits: Rotation) -> None:
    @rotate_option
    def program(rotate: Rotation) -> None:
        found.append(rotate)

    found: list[Rotation] = []
    arguments = [word for limit in given for word in ("--rotate", limit)]
    click.command()(program).main(arguments, standalone_mode=False)
    assert found == [limits]
