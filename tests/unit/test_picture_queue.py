"""Which pictures go to the next process."""

from __future__ import annotations

from typing import Any

from protocol.artifact import Artifact
from protocol.prediction import MOST_PICTURES, FolderPicture, Labels, ModelFile, PictureRefused, SentPicture, Thumbnails
from tests.sample_tasks import hex_id, make_spec
from web.prediction.picture_queue import (
    FATAL,
    MOST_FATAL_PICTURES,
    MOST_ORDER_BYTES,
    NOT_TRIED,
    PictureCall,
    PictureQueue,
    QueuedPicture,
)

ANSWER = Labels((), unknown=False)


def model(task: int = 1) -> ModelFile:
    return ModelFile(make_spec(hex_id(task)), Artifact("model.tflite", 1, f"{task:064x}"))


def call(pictures: int, task: int = 1, size: int = 1) -> PictureCall:
    return PictureCall(model(task), [SentPicture(str(number), b"x" * size) for number in range(pictures)])


def waiting(*calls: PictureCall) -> PictureQueue:
    line = PictureQueue()
    for one in calls:
        line.add(one)
    return line


def part_of(line: PictureQueue, processes: int = 1) -> list[QueuedPicture]:
    """What goes to the next of so many processes."""
    first = line.next_call()
    assert first is not None
    return line.take(first, processes)


def numbers(places: list[QueuedPicture], *calls: PictureCall) -> list[tuple[int, int]]:
    return [(calls.index(place.call), place.number) for place in places]


def test_what_waits_for_the_same_model_goes_together() -> None:
    calls = call(2), call(1, task=2), call(3)
    line = waiting(*calls)

    assert numbers(part_of(line, 1), *calls) == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
    assert numbers(part_of(line, 1), *calls) == [(1, 0)]
    assert not line


def test_several_processes_share_what_waits() -> None:
    calls = call(5), call(1)
    line = waiting(*calls)

    assert numbers(part_of(line, 2), *calls) == [(0, 0), (0, 1), (0, 2)]
    assert numbers(part_of(line, 2), *calls) == [(1, 0), (0, 3)]
    assert numbers(part_of(line, 2), *calls) == [(0, 4)]


def test_a_call_with_many_pictures_does_not_hold_up_the_others() -> None:
    many, one = call(3 * MOST_PICTURES), call(1, task=2)
    line = waiting(many, one)

    assert numbers(part_of(line, 1), many, one) == [(0, number) for number in range(MOST_PICTURES)]
    assert numbers(part_of(line, 1), many, one) == [(1, 0)]
    assert len(part_of(line, 1)) == MOST_PICTURES


def test_large_pictures_go_in_smaller_parts_but_each_of_them_goes() -> None:
    large = call(3, size=MOST_ORDER_BYTES // 2)
    huge = call(2, task=2, size=MOST_ORDER_BYTES + 1)
    line = waiting(large, huge)

    assert [len(part_of(line, 1)) for _ in range(4)] == [2, 1, 1, 1]


def test_a_picture_under_suspicion_goes_alone_and_first() -> None:
    calls = call(3), call(2)
    line = waiting(*calls)
    taken = part_of(line, 1)
    calls[0].picture_was_fatal(0)
    line.put_back(taken)

    assert numbers(part_of(line, 1), *calls) == [(0, 0)]
    assert numbers(part_of(line, 1), *calls) == [(1, 0), (1, 1), (0, 1), (0, 2)]


def test_the_second_time_a_picture_is_given_up_and_a_call_with_several_of_them_too() -> None:
    hostile = call(8)
    line = waiting(hostile)
    taken = part_of(line, 1)
    for number in range(MOST_FATAL_PICTURES):
        hostile.picture_was_fatal(number)
        assert hostile.answers[number] is None
        hostile.picture_was_fatal(number)
        assert hostile.answers[number] == FATAL

    assert hostile.left == 0
    assert hostile.answers == [FATAL] * MOST_FATAL_PICTURES + [NOT_TRIED] * (8 - MOST_FATAL_PICTURES)
    line.put_back(taken)
    assert not line


def test_answered_pictures_are_forgotten() -> None:
    one = call(2, size=100)
    one.answer(1, ANSWER)

    assert (one.left, one.pictures[1]) == (1, None)
    one.answer(0, PictureRefused("bad_picture", "…"))
    assert (one.left, one.pictures) == (0, [None, None])


def test_a_call_that_is_over_is_not_served() -> None:
    first: Any = call(2)
    second = call(1)
    line = waiting(first, second)
    line.remove(first)
    line.remove(first)

    assert numbers(part_of(line, 1), first, second) == [(1, 0)]
    assert not line


def shown(side_px: int = 160) -> PictureCall:
    return PictureCall(Thumbnails(side_px), [FolderPicture("/photos/1.jpg")])


def test_predictions_and_thumbnails_take_turns() -> None:
    calls = shown(), shown(320), shown(), call(3 * MOST_PICTURES), call(1, task=2)
    line = waiting(*calls)

    assert numbers(part_of(line), *calls) == [(0, 0), (2, 0)]
    assert {place.call for place in part_of(line)} == {calls[3]}
    assert numbers(part_of(line), *calls) == [(1, 0)]
    assert numbers(part_of(line), *calls) == [(4, 0)]
    assert {place.call for place in part_of(line)} == {calls[3]}


def test_thumbnails_wait_where_only_predictions_may_be_taken() -> None:
    first, second = shown(), call(1)
    line = waiting(first, second)

    assert line.next_call(thumbnails_too=False) is second
    line.remove(second)
    assert line.next_call(thumbnails_too=False) is None
    assert line.next_call() is first
