"""Slots shared by threads: who runs where, and how one run gets the machine to itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.slot import Slot

__all__ = ["Pool"]


class Pool:
    """Hands out slots, one caller each; a caller may also ask to be alone."""

    def __init__(self, slots: list[Slot]):
        self.slots = slots
        self._free = list(slots)
        self._changed = threading.Condition()
        self._waiting_alone = 0
        self.closed = False

    @contextmanager
    def one(self) -> Iterator[Slot]:
        """A slot for the time of the block."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or (self._free and not self._waiting_alone))
            slot = self._take()
        try:
            yield slot
        finally:
            self._give(slot)

    @contextmanager
    def alone(self) -> Iterator[Slot]:
        """A slot, while no other runs: for a measurement that the others would disturb."""
        with self._changed:
            self._waiting_alone += 1
            try:
                self._changed.wait_for(lambda: self.closed or len(self._free) == len(self.slots))
                slot = self._take()
            except BaseException:
                self._waiting_alone -= 1
                raise
        try:
            yield slot
        finally:
            with self._changed:
                self._waiting_alone -= 1
            self._give(slot)

    def close(self) -> None:
        """Waits for the runs under way and closes every slot."""
        with self._changed:
            if self.closed:
                return
            self.closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._free) == len(self.slots))
        for slot in self.slots:
            slot.close()

    def _take(self) -> Slot:
        if self.closed:
            raise RuntimeError("the sandbox is closed")
        return self._free.pop()

    def _give(self, slot: Slot) -> None:
        with self._changed:
            self._free.append(slot)
            self._changed.notify_all()
