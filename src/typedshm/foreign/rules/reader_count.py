"""ReaderCount: a word that counts readers and has a bit for the writer. winmmf's rule."""

import time

from typedshm.errors import Empty, Timeout
from typedshm.foreign.access import Access, Exchange, Gather, Image, Put
from typedshm.foreign.rules.rule import Rule
from typedshm.frozen import frozen

WRITER = 1 << 31
"""The bit of the writer."""
READERS = (1 << 24) - 1
"""The bits in which readers count themselves."""
_UNUSED = 0xFF << 24  # the high byte of a word that nobody has set up

_PATIENCE = 1.0
"""Seconds that a writer waits for readers, which copy and are gone."""
_PAUSE = 0.0002


@frozen
class ReaderCount(Rule):
    """A word of 32 bits that counts readers and has a bit for the writer.

    Its high byte is 0xFF until somebody has set it up, bit 31 is the writer's, and the low 24 bits count the readers.
    A reader adds one to the count by an exchange while bit 31 is not set, copies, and takes the one away again. That
    takes ``writable=True``; a reader without it makes two equal copies while the bit is clear, and ``info().guarded``
    is False. A reader that is killed in between leaves its one for ever: writers then get `Timeout` after a second.

    Parameters
    ----------
    word : str
        The field.
    """

    __match_args__ = ("word",)
    kind = "reader-count"
    summary = "a word that counts readers and has a bit for the writer"
    word: str

    def standing(self, access: Access) -> bool:
        """Return True while the writer has the word."""
        return bool(self._number(access) & WRITER)

    def attempt(self, access: Access, gather: Gather) -> Image | None:
        """Copy while we are counted."""
        number = self._number(access)
        if number & WRITER or number & READERS == READERS:  # one more would be carried into the high byte
            return None
        access.guarded = access.writable
        if not access.writable:
            image = gather(0)
            same = image == gather(0)
            return image if same and not self._number(access) & WRITER else None
        counted, left = Exchange(access, self.word), Exchange(access, self.word)
        try:
            return gather(0) if counted.attempt(number, number + 1) else None
        finally:
            try:
                self._leave(access, counted, left)
            except BaseException:  # of a signal's handler
                self._leave(access, counted, left)
                raise

    def publish(self, access: Access, put: Put) -> None:
        """Store the fields while the bit is set and no reader is counted.

        Raises
        ------
        Timeout
            Readers did not leave, or another writer did not: whoever was killed in between never does.
        """
        end = time.monotonic() + _PATIENCE
        taken, left = Exchange(access, self.word), Exchange(access, self.word)
        try:
            while not taken.attempt(0, WRITER):
                number = self._number(access)
                if time.monotonic() >= end:
                    holder = "another writer" if number & WRITER else f"{number & READERS} readers"
                    raise Timeout(
                        f"timed out after {_PATIENCE:g} s waiting for {holder} counted in {self.word} "
                        f"({number:#010x}); one that was killed leaves its count"
                    )
                time.sleep(_PAUSE)
            put(0)
        finally:
            try:
                self._leave(access, taken, left)
            except BaseException:  # of a signal's handler
                self._leave(access, taken, left)
                raise

    def is_set_up(self, access: Access) -> bool:
        """Return False while the high byte says that the memory is new."""
        return access.number(self.word) & _UNUSED != _UNUSED

    def prepare(self, access: Access) -> None:
        """Say that the memory is set up."""
        access.put(self.word, 0)

    def _number(self, access: Access) -> int:
        number = access.number(self.word)
        if not self.is_set_up(access):
            raise Empty(f"expected {self.word} to be set up by its program, found {number:#010x}, as new memory has it")
        return number

    def _leave(self, access: Access, entered: Exchange, left: Exchange) -> None:
        """Take back what was added by `entered`, unless `left` has."""
        while entered.made and not left.made:
            number = access.number(self.word)
            left.attempt(number, 0 if number & WRITER else number - 1)
