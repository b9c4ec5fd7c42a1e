"""Options: how recorded versions are to be published."""

from typedshm.frozen import Frozen, frozen
from typedshm.memory.names import Scope


@frozen
class Options(Frozen):
    """How recorded versions are to be published; :func:`typedshm.recording.replay` says what each means."""

    __match_args__ = ("keep_times", "keep_versions", "take_over", "timeout", "scope")
    keep_times: bool = False
    keep_versions: bool = False
    take_over: bool = False
    timeout: float | None = None
    scope: Scope = "user"
