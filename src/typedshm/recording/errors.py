"""The errors that recordings raise."""

from typedshm.errors import TypedshmError


class RecordingError(TypedshmError):
    """Something went wrong with a recording; the base class of its errors."""


class RecordingCorrupt(RecordingError, ValueError):
    """A file is no recording, or a damaged one: the message says what was found, at which byte, what is readable."""


class RecordingFull(RecordingError, OSError):
    """No more could be written: the disk is full, the file too big, or a quota used up; what was written is readable.

    ``errno`` is the system's, ``filename`` the recording's, ``strerror`` the message.
    """

    def __str__(self) -> str:
        """Return the whole message, which names the file."""
        return str(self.strerror) if self.strerror is not None else super().__str__()


class RecordingWarning(UserWarning):
    """A part of a recording is damaged, and was left out; or something was not recorded."""
