"""The programs of others that tests ran or asked, told at the end of a run with their versions."""

_REPORTED: dict[tuple[str, str, str], list[str]] = {}


def report(program: str, version: str, remark: str = "", *, kind: str = "live") -> None:
    """Have a program's name and version printed at the end of the run, in one line with what the tests saw of it.

    Parameters
    ----------
    program, version : str
        As its package has them.
    remark : str
        What was compared; several tests' remarks share the program's line.
    kind : str
        "live" for a program that ran, "oracle" for an independent reader or writer of the same bytes.
    """
    remarks = _REPORTED.setdefault((kind, program, version), [])
    if remark and remark not in remarks:
        remarks.append(remark)


def reported() -> list[str]:
    """The lines of all programs, in order of their kinds and names."""
    return [
        f"{kind}: {program} {version}" + (f" ({'; '.join(remarks)})" if remarks else "")
        for (kind, program, version), remarks in sorted(_REPORTED.items())
    ]
