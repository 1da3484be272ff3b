"""Which ids were seen, in some 16 bytes each, so that a stream of millions can be checked."""

from array import array

_FIRST_SLOTS = 1 << 10
_BITS = (1 << 64) - 1


class Seen:
    """A set of texts kept as 64-bit hashes in one flat table (open addressing, at most 2/3 full).

    Two different texts count as one with a chance of n^2 / 2^65: 3 in 10^8 for a million.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        self._used = 0

    def add(self, text: str) -> bool:
        """Note a text; whether it is a new one."""
        if 3 * self._used > 2 * len(self._slots):
            self._grow()
        mark = (hash(text) & _BITS) or 1  # 0 is a free slot
        place = self._place(mark)
        if self._slots[place]:
            return False
        self._slots[place] = mark
        self._used += 1
        return True

    def _place(self, mark: int) -> int:
        """The slot that holds the mark, or the free one where it belongs."""
        slots, last = self._slots, len(self._slots) - 1
        place = mark & last
        while (found := slots[place]) and found != mark:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        former = self._slots
        self._slots = array("Q", bytes(16 * len(former)))
        for mark in former:
            if mark:
                self._slots[self._place(mark)] = mark
