"""In which order a helper computes the pictures of another worker's training. Pure.

The training itself goes through its list from the first picture to the last, and skips what it finds in the cache. So a
helper goes from a later picture backwards, until it meets one that somebody has computed. Then it looks for the longest
run of pictures that are left, and begins again within it. Helpers do not speak to each other. They begin at different
shares of a run, so two of them hardly ever compute the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

#: A helper begins in a run only if at least this many pictures lie between it and whoever else works there.
LEAST_PICTURES = 16


class OrderOfHelp:
    """Iterate over it: the numbers of the pictures to compute, one after the other. It ends when few are left.

    It looks again before each number, so a picture that was computed meanwhile is left out.
    """

    def __init__(
        self, count: int, place: int, is_done: Callable[[int], bool], all_done: Callable[[], np.ndarray]
    ) -> None:
        """place: of the helper, from 1 on. is_done: whether somebody has computed that picture.

        all_done: the same for all pictures at once, bool (count,).
        """
        self._place = place
        self._is_done = is_done
        self._all_done = all_done
        self._taken = np.zeros(count, dtype=bool)
        self._begins_anew = False

    def begin_elsewhere(self) -> None:
        """Somebody else computes the same pictures at the same time."""
        self._begins_anew = True

    def __iter__(self) -> Iterator[int]:
        while (number := self._beginning()) is not None:
            self._begins_anew = False
            while number >= 0 and not self._begins_anew and not self._taken[number] and not self._is_done(number):
                self._taken[number] = True
                yield number
                number -= 1

    def _beginning(self) -> int | None:
        left = ~(self._taken | self._all_done())
        edges = np.flatnonzero(np.diff(left, prepend=False, append=False))
        if not len(edges):
            return None
        begins, ends = edges[::2], edges[1::2]
        longest = int(np.argmax(ends - begins))
        begin, end = int(begins[longest]), int(ends[longest])
        # Nobody works backwards from the end of the list but the first helper. Any other run ends where somebody is.
        is_last = end == len(left)
        share = 1.0 if is_last and self._place == 1 else _share(self._place - 1 if is_last else self._place)
        number = begin + int((end - begin) * share)
        behind = LEAST_PICTURES if share == 1.0 else end - number
        return number - 1 if min(number - begin, behind) >= LEAST_PICTURES else None


def _share(place: int) -> float:
    """A share of a run that no other place has: 1/2, 1/4, 3/4, 1/8, 5/8 and so on (van der Corput's sequence)."""
    share, step = 0.0, 0.5
    while place:
        share += step * (place & 1)
        place, step = place >> 1, step / 2
    return share
