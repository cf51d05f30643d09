"""The queue of pictures that wait for a runtime process, and which of them go to the next one. Pure.

Predictions and thumbnails take turns. Of each kind, the call that has waited longest goes first, but a call with many
pictures goes to the end after each part, so it does not hold up all others. Pictures for the same model go together,
and so do thumbnails of one size.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.prediction import (
    MOST_PICTURES,
    Picture,
    PictureAnswer,
    PictureRefused,
    SentPicture,
    Thumbnails,
    Work,
)

#: The bytes of the pictures that go to a process at once, unless a single one has more.
MOST_ORDER_BYTES = 32_000_000
#: After so many pictures of a call have ended a process, the others of the call are not tried any more.
MOST_FATAL_PICTURES = 2

FATAL = PictureRefused(
    "bad_picture",
    "The process that read this picture ended or took too long, twice; the picture is damaged, or it takes too much "
    "memory. Save it anew as JPEG or PNG, and smaller.",
)
NOT_TRIED = PictureRefused(
    "predict_failed",
    "Other pictures of this call ended the process that reads them, so this one was not tried; send it in a call of "
    "its own.",
)


class PictureCall:
    """One call with its pictures. answers: None where there is none yet."""

    def __init__(self, work: Work, pictures: Sequence[Picture]) -> None:
        self.work = work
        self.pictures: list[Picture | None] = list(pictures)
        self.answers: list[PictureAnswer | None] = [None] * len(pictures)
        self.waiting = deque(range(len(pictures)))
        #: Pictures during which a process has ended: they are tried once more, each on its own.
        self.suspects: set[int] = set()
        self.fatal = 0
        #: By picture, how often a process that had been given it ended before the model was loaded.
        self.without_model = Counter[int]()

    @property
    def left(self) -> int:
        """How many pictures have no answer yet."""
        return sum(answer is None for answer in self.answers)

    def answer(self, number: int, answer: PictureAnswer) -> None:
        """Note the answer, and forget the picture."""
        self.answers[number] = answer
        self.pictures[number] = None

    def picture_was_fatal(self, number: int) -> None:
        """A process ended during this picture. The second time, that is its answer."""
        if number not in self.suspects:
            self.suspects.add(number)
            return
        self.fatal += 1
        self.answer(number, FATAL)
        if self.fatal >= MOST_FATAL_PICTURES:
            for other, known in enumerate(self.answers):
                if known is None:
                    self.answer(other, NOT_TRIED)
            self.waiting.clear()


class QueuedPicture(NamedTuple):
    """A picture, named by its call and its number in it."""

    call: PictureCall
    number: int

    @property
    def picture(self) -> Picture:
        picture = self.call.pictures[self.number]
        assert picture is not None
        return picture


class PictureQueue:
    def __init__(self) -> None:
        self._calls: deque[PictureCall] = deque()
        self._served_last: type[Work] | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    def next_call(self, thumbnails_too: bool = True) -> PictureCall | None:
        """The call whose turn it is. thumbnails_too: whether it may be one for thumbnails."""
        allowed = [call for call in self._calls if thumbnails_too or not isinstance(call.work, Thumbnails)]
        others = (call for call in allowed if type(call.work) is not self._served_last)
        return next(others, allowed[0] if allowed else None)

    def add(self, call: PictureCall) -> None:
        if call.waiting:
            self._calls.append(call)

    def put_back(self, taken: Sequence[QueuedPicture]) -> None:
        """Pictures that were taken and got no answer, through no fault of theirs or for a second try, go first."""
        for call, number in reversed(taken):
            if call.answers[number] is None:
                call.waiting.appendleft(number)
                if call not in self._calls:
                    self._calls.appendleft(call)
        self._forget_the_served()

    def remove(self, call: PictureCall) -> None:
        """The call is over."""
        call.waiting.clear()
        if call in self._calls:
            self._calls.remove(call)

    def take(self, first: PictureCall, processes: int) -> list[QueuedPicture]:
        """The pictures that go to the next of so many processes: a fair part of those with the same work as this call.

        first: from next_call.
        """
        self._served_last = type(first.work)
        if first.waiting[0] in first.suspects:
            taken = [QueuedPicture(first, first.waiting.popleft())]
        else:
            taken = self._fair_part(first, processes)
        self._forget_the_served()
        if first.waiting:
            self._calls.remove(first)
            self._calls.append(first)
        return taken

    def _forget_the_served(self) -> None:
        self._calls = deque(call for call in self._calls if call.waiting)

    def _fair_part(self, first: PictureCall, processes: int) -> list[QueuedPicture]:
        same = [first, *(call for call in self._calls if call is not first and call.work == first.work)]
        most = min(MOST_PICTURES, -(-sum(len(call.waiting) for call in same) // max(1, processes)))
        taken: list[QueuedPicture] = []
        size = 0
        for each in self._unsuspected(same):
            size += _size(each.picture)
            if taken and (len(taken) == most or size > MOST_ORDER_BYTES):
                break
            taken.append(each)
        for call, number in taken:
            call.waiting.remove(number)
        return taken

    @staticmethod
    def _unsuspected(calls: Sequence[PictureCall]) -> Iterator[QueuedPicture]:
        for call in calls:
            for number in call.waiting:
                if number not in call.suspects:
                    yield QueuedPicture(call, number)


def _size(picture: Picture | None) -> int:
    return len(picture.content) if isinstance(picture, SentPicture) else 0
