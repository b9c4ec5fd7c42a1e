"""A look inside an open region, for tests of what has no verb: which process holds what, and where the bytes are."""

from typing import Any

from typedshm.memory.attachment import Attachment, Handle, apart
from typedshm.region.region import Region
from typedshm.sharing.opening import attach


def handle_of(region: Region[Any]) -> Handle:
    """Return the region's share in the attachment of its process."""
    handle: Handle = vars(region)["_handle"]
    return handle


def attachment_of(region: Region[Any]) -> Attachment:
    """Return what the process holds for the region: mapping, header, lock, pins; shared by all its handles."""
    attachment: Attachment = vars(region)["_attachment"]
    return attachment


def attach_apart(*arguments: Any, **options: Any) -> Region[Any]:
    """Attach as another process would: by an attachment that no other handle of this process shares.

    The parameters are those of :func:`typedshm.attach`.
    """
    with apart():
        return attach(*arguments, **options)
