"""The queue of pictures that wait for a runtime process, and which of them go to the next one. Pure.

Pictures for the same model go together. The call that has waited longest goes first, but a call with many pictures goes
to the end after each part, so it does not hold up all others.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.prediction import MOST_PICTURES, ModelFile, Picture, PictureAnswer, PictureRefused, SentPicture

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


class PredictionCall:
    """One call with its pictures. answers: None where there is none yet."""

    def __init__(self, model: ModelFile, pictures: Sequence[Picture]) -> None:
        self.model = model
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

    call: PredictionCall
    number: int

    @property
    def picture(self) -> Picture:
        picture = self.call.pictures[self.number]
        assert picture is not None
        return picture


class PictureQueue:
    def __init__(self) -> None:
        self._calls: deque[PredictionCall] = deque()

    def __bool__(self) -> bool:
        return bool(self._calls)

    def next_model(self) -> ModelFile:
        """The model of the call whose turn it is."""
        return self._calls[0].model

    def add(self, call: PredictionCall) -> None:
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

    def remove(self, call: PredictionCall) -> None:
        """The call is over."""
        call.waiting.clear()
        if call in self._calls:
            self._calls.remove(call)

    def take(self, processes: int) -> list[QueuedPicture]:
        """The pictures that go to the next of so many processes: a fair part of those that wait for the same model."""
        first = self._calls[0]
        if first.waiting[0] in first.suspects:
            taken = [QueuedPicture(first, first.waiting.popleft())]
        else:
            taken = self._fair_part(first.model, processes)
        self._forget_the_served()
        if self._calls and self._calls[0] is first:
            self._calls.rotate(-1)
        return taken

    def _forget_the_served(self) -> None:
        self._calls = deque(call for call in self._calls if call.waiting)

    def _fair_part(self, model: ModelFile, processes: int) -> list[QueuedPicture]:
        same = [call for call in self._calls if call.model == model]
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
    def _unsuspected(calls: Sequence[PredictionCall]) -> Iterator[QueuedPicture]:
        for call in calls:
            for number in call.waiting:
                if number not in call.suspects:
                    yield QueuedPicture(call, number)


def _size(picture: Picture | None) -> int:
    return len(picture.content) if isinstance(picture, SentPicture) else 0
