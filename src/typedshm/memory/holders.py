"""Holders: the processes that have a region open, as error messages name them."""

import os
import threading

import typedshm._native as _native
from typedshm.memory.attachment import Attachment, Writer, attachments
from typedshm.memory.participant import describe_process, describe_processes, participant
from typedshm.memory.processes import users_of


def holders(mapping: _native.Mapping, handle: Writer, *, inode: int | None = None) -> str:
    """Say which processes have a region open that this one has not joined, or only to look at it.

    Parameters
    ----------
    mapping
        Of the region.
    handle
        What their presence entries can be probed by; it must have taken none.
    inode
        Of the file, if it is one. With it also those are found that only read, where the system tells who maps a file.

    Returns
    -------
    str
        ``this process and process 4711 (python camera.py)``; empty if nobody is known.
    """
    try:
        pids: set[int] = set(map(participant, _native.participants(mapping, handle)))
        instance = _native.read_header(mapping)["instance"]
    except (OSError, ValueError):  # there is no region in it
        pids, instance = set[int](), 0
    if any(instance == attachment.header["instance"] for attachment in attachments()):
        pids.add(os.getpid())
    if not pids and inode is not None:
        pids = set(users_of(inode))
    return describe_processes(pids, inode=inode)


def other_holders(attachment: Attachment) -> str:
    """Say which processes have it open besides the handle by which this process has just joined it."""
    pids: set[int] = set(map(participant, attachment.participants))
    pids.discard(os.getpid())
    instance = attachment.header["instance"]
    if sum(other.handles for other in attachments() if other.header["instance"] == instance) > 1:
        pids.add(os.getpid())
    if not pids and attachment.inode is not None:
        pids = set(users_of(attachment.inode))
    return describe_processes(pids, inode=attachment.inode)


def lock_holder(attachment: Attachment) -> str:
    """Say who holds the writers' lock: ``process 4711 (python camera.py)``; empty if nobody does any more."""
    lock, owner = attachment.lock, attachment.owner
    if owner is None:
        return ""
    if lock is None or owner[0] != lock.entry:
        return describe_process(participant(owner), inode=attachment.inode, this=False)
    return f"this process ({owner[1]}){_thread(lock.thread)}"


def _thread(ident: int) -> str:
    if ident == threading.get_ident():
        return ", in this thread"
    names = [thread.name for thread in threading.enumerate() if thread.ident == ident]
    return f", in its thread {names[0]!r}" if names else ""
