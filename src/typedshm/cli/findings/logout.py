"""Logout: whether systemd removes a user's regions when the user's last session ends."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from typedshm.cli.findings.finding import Finding, Level, text_of
from typedshm.cli.findings.users import user_name

KIND = "logout"

_FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
"""Where logind's settings are; of files with the same name the first one counts."""

_ASSIGNED = re.compile(r"^\s*(#?)\s*RemoveIPC\s*=\s*(\S+)\s*$", re.IGNORECASE)
_YES = {"1", "yes", "y", "true", "t", "on"}
_NO = {"0", "no", "n", "false", "f", "off"}
_SYSTEM_USERS = 999


def logout() -> Iterator[Finding]:
    """Look whether a logout removes the regions of this user."""
    if sys.platform != "linux":
        return iter(())
    user = os.geteuid()
    name = user_name(str(user))
    return check_logout(
        [text_of(file) for file in configuration(_FOLDERS)],
        has_systemd=os.path.isdir("/run/systemd/system"),
        user=name,
        is_system=user <= system_users(text_of("/etc/login.defs")),
        lingers=os.path.exists(f"/var/lib/systemd/linger/{name}"),
    )


def check_logout(
    texts: Iterable[str], *, has_systemd: bool, user: str, is_system: bool, lingers: bool
) -> Iterator[Finding]:
    """Judge what a logout does.

    Parameters
    ----------
    texts
        Of logind.conf and its drop-ins, later ones take precedence.
    has_systemd
        Whether this system was started by systemd.
    is_system
        Whether the user is a system user, such as root: their regions stay.
    lingers
        Whether the user's services go on after the last logout.
    """
    if not has_systemd:
        return
    if not removes(texts):
        yield Finding(Level.OK, KIND, "a logout leaves regions alone (RemoveIPC=no)")
    elif is_system:
        yield Finding(Level.OK, KIND, f"a logout leaves regions of {user} alone, as of all system users")
    elif lingers:
        yield Finding(Level.OK, KIND, f"a logout leaves regions of {user} alone, who lingers")
    else:
        yield Finding(
            Level.WARNING,
            KIND,
            f"systemd removes the regions of {user} when the last session ends (RemoveIPC=yes)",
            "Programs that go on in the background keep theirs, but nobody finds those any more. An ssh command is a "
            "session, too.",
            f"loginctl enable-linger {user}; or RemoveIPC=no in /etc/systemd/logind.conf (as root); or run the "
            "programs as a system user",
        )


def removes(texts: Iterable[str]) -> bool:
    """Return whether logind removes the regions of users: as the settings say, or the default that stands there."""
    default, set_to = True, None
    for text in texts:
        section = ""
        for line in text.splitlines():
            if line.strip().startswith("["):
                section = line.strip()
            assigned = _ASSIGNED.match(line)
            if not assigned or section != "[Login]":
                continue
            value = assigned[2].lower()
            if value in _YES | _NO:
                if assigned[1]:  # a comment shows what the system was built with
                    default = value in _YES
                else:
                    set_to = value in _YES
    return default if set_to is None else set_to


def configuration(folders: Iterable[str]) -> list[Path]:
    """Return the files with the settings of logind, those that take precedence last."""
    parts: dict[str, Path] = {}
    main: list[Path] = []
    for folder in map(Path, folders):
        if not main and (folder / "logind.conf").is_file():
            main.append(folder / "logind.conf")
        for part in folder.glob("logind.conf.d/*.conf"):
            parts.setdefault(part.name, part)
    return main + [parts[name] for name in sorted(parts)]


def system_users(login_defs: str) -> int:
    """Return the highest number of a system user."""
    found = re.search(r"^\s*SYS_UID_MAX\s+(\d+)", login_defs, re.MULTILINE)
    return int(found[1]) if found else _SYSTEM_USERS
