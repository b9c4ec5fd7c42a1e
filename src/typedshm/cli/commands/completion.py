"""``typedshm completion``: the script with which a shell completes commands, options and names of regions."""

import click

from typedshm.cli.terminal import say

EPILOG = """\b
Where to put it:
  bash  typedshm completion bash > ~/.local/share/bash-completion/completions/typedshm
        or without the package bash-completion, to a file that ~/.bashrc sources
  zsh   mkdir -p ~/.zfunc && typedshm completion zsh > ~/.zfunc/_typedshm
        and in ~/.zshrc: fpath=(~/.zfunc $fpath); autoload -U compinit; compinit
  fish  typedshm completion fish > ~/.config/fish/completions/typedshm.fish

New shells have it then. Names with characters that a shell would take apart are not offered: put them into quotes.
"""


@click.command("completion", epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, and names of living regions in a SHELL."""
    from click.shell_completion import ShellComplete, get_completion_class  # is heavy, and for shells only

    completion = get_completion_class(shell)
    assert completion is not None
    # not its own source(), which asks the version of whatever bash is on this machine
    say(ShellComplete.source(completion(context.find_root().command, {}, "typedshm", "_TYPEDSHM_COMPLETE")))
