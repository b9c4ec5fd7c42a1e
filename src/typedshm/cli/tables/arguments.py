"""Arguments: rows of tables on the command line."""

import contextlib
import re
from typing import TYPE_CHECKING, Any

import click

import typedshm
from typedshm.cli.targets import TYPED, Target, attach, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

_BELOW_ZERO = re.compile(r"-\d+(:[-+\d:]*)?")


class RowCommand(click.Command):
    """A command that takes rows: ``-1`` is the last one, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. With a blank before it a number is no option, and still a number."""
        return super().parse_args(ctx, [f" {arg}" if _BELOW_ZERO.fullmatch(arg) else arg for arg in args])


def given(text: str) -> str:
    """Return an argument as it was given, without the blank that kept it from being an option."""
    return text.strip() if _BELOW_ZERO.fullmatch(text.strip()) else text


class Row(click.ParamType[str]):
    """A row of a table, as it was given."""

    name = "row"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as it was given."""
        del param, ctx
        return given(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        """Complete the keys of the table that was named."""
        from click.shell_completion import CompletionItem  # is heavy, and for shells only

        keys: tuple[str, ...] = ()
        name: Any = ctx.params.get("name")
        with contextlib.suppress(typedshm.TypedshmError, OSError, click.UsageError):  # no message in the user's line
            keys = _keys(target_of(str(name), ctx.params.get("scope")))
        return [CompletionItem(key) for key in keys if key.startswith(incomplete) and TYPED.fullmatch(key)]


def _keys(target: Target) -> tuple[str, ...]:
    with attach(target) as opened:
        return opened.keys if isinstance(opened, typedshm.Table) else ()


def row_argument(metavar: str = "ROW", **options: Any) -> "Callable[[Any], Any]":
    """Make the argument that names a row of a table, or several."""
    return click.argument("row", type=Row(), metavar=f"[{metavar}]", required=False, **options)
