"""``python -m typedshm`` and ``typedshm``: the command line, where its libraries are installed."""

import sys

_NEEDED = {"click": "click", "rich": "rich", "PIL": "pillow"}  # by the names of their modules


def main() -> int:
    """Run the command line. Returns the exit status."""
    try:
        from typedshm.cli.program import run  # click is heavy, and not always installed

        return run()
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        missing = _NEEDED[error.name]
        print(
            f"typedshm: the command line needs {missing}, which is not installed: pip install 'typedshm[cli]'",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
