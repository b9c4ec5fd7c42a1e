"""A look inside an open region, for tests of what has no verb: which process holds what, and where the bytes are."""

import contextlib
from collections.abc import Generator
from typing import Any, cast

import typedshm._native as _native
from typedshm.memory import fork
from typedshm.memory.attachment import Attachment, Handle, apart
from typedshm.region import waitset
from typedshm.region.opened import Opened
from typedshm.region.region import Region
from typedshm.sharing.opening import attach


def handle_of(region: Opened[Any]) -> Handle:
    """Return the region's share in the attachment of its process."""
    handle: Handle = vars(region)["_handle"]
    return handle


def attachment_of(region: Opened[Any]) -> Attachment:
    """Return what the process holds for the region: mapping, header, lock, pins; shared by all its handles."""
    attachment: Attachment = vars(region)["_attachment"]
    return attachment


def waitsets() -> list[_native.Waitset]:
    """Return the sets of regions that coroutines of this process wait for; none that it inherited by a fork."""
    return list(waitset.waitsets)


def attach_apart(*arguments: Any, **options: Any) -> Region[Any]:
    """Attach as another process would: by an attachment that no other handle of this process shares.

    The parameters are those of :func:`typedshm.attach`.
    """
    with apart():
        opened: Any = cast("Any", attach)(*arguments, **options)
        return cast("Region[Any]", opened)


@contextlib.contextmanager
def as_around_a_fork() -> Generator[None, None, None]:
    """Do what a fork has its parent do before and after, so that a test can act in between; there is no child."""
    fork.before_fork()
    try:
        yield
    finally:
        fork.after_fork_in_parent()
