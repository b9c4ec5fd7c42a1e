"""``python -m typedshm`` and ``typedshm``: the command line, where its libraries are installed."""

import sys

_NEEDED = {"click", "rich"}


def main() -> int:
    """Run the command line. Returns the exit status."""
    try:
        from typedshm.cli.program import run  # click is heavy, and not always installed

        return run()
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        remedy = "pip install 'typedshm[cli]'"
        print(f"typedshm: the command line needs {error.name}, which is not installed: {remedy}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
