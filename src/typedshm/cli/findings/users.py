"""Users: whose something is, by name."""

import sys

if sys.platform == "win32":

    def user_name(user: str | None) -> str:
        """Return what is known of a user: a part of the security identifier."""
        return user or ""

else:
    import pwd

    def user_name(user: str | None) -> str:
        """Return the name of the user of that number; the number where the system knows none."""
        try:
            return pwd.getpwuid(int(user or "")).pw_name
        except (KeyError, ValueError):
            return user or ""
