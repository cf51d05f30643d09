"""Helpers that do not speak to each other share the pictures of a training, and hardly any is computed twice."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from trainer_worker.classification.order_of_help import LEAST_PICTURES, OrderOfHelp


class Run:
    """A training and its helpers on a clock of their own: each takes a picture, and later it is in the cache."""

    def __init__(self, count: int, cached: float = 0.0) -> None:
        self.done = np.random.default_rng(0).uniform(size=count) < cached
        self.missing = int((~self.done).sum())
        self.computed: Counter[int] = Counter()
        self._queue: list[tuple[float, int, float, Iterator[int], int]] = []

    def training(self) -> Iterator[int]:
        return (number for number in range(len(self.done)) if not self.done[number])

    def helper(self, place: int) -> Iterator[int]:
        return iter(OrderOfHelp(len(self.done), place, lambda number: bool(self.done[number]), self.done.copy))

    def add(self, numbers: Iterator[int], seconds: float, begins_at_s: float = 0.0) -> None:
        """seconds: for a picture."""
        heapq.heappush(self._queue, (begins_at_s, len(self._queue), seconds, numbers, -1))

    def finish(self, until_s: float = np.inf) -> float:
        """Run until nobody has anything left to do. Returns the time at which the last picture was computed."""
        last_s = 0.0
        while self._queue:
            now_s, order, seconds, numbers, taken = heapq.heappop(self._queue)
            if taken >= 0:
                self.done[taken] = True
                self.computed[taken] += 1
                last_s = now_s
            number = next(numbers, None)
            if number is not None:
                heapq.heappush(self._queue, (now_s + seconds, order, seconds, numbers, number))
        return last_s


@pytest.mark.parametrize("helpers", [1, 2, 3, 7])
@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
def test_all_is_computed_in_little_more_than_the_shared_time(helpers: int, speed: float) -> None:
    run = Run(4000)
    run.add(run.training(), 1.0)
    for place in range(1, helpers + 1):
        run.add(run.helper(place), 1.0 / speed, begins_at_s=place)
    took_s = run.finish()
    assert run.done.all()
    assert took_s < 1.1 * 4000 / (1 + helpers * speed)
    assert run.computed.total() - 4000 < 20 * helpers


def test_pictures_that_are_cached_already_are_left_out_and_the_others_shared() -> None:
    run = Run(4000, cached=0.5)
    left = np.flatnonzero(~run.done)
    order = iter(OrderOfHelp(len(left), 1, lambda number: bool(run.done[left[number]]), lambda: run.done[left]))
    run.add(run.training(), 1.0)
    run.add((int(left[number]) for number in order), 1.0)
    assert run.finish() < 0.55 * run.missing
    assert run.computed.total() - run.missing < LEAST_PICTURES


def test_a_helper_that_dies_costs_nothing_but_its_own_speed() -> None:
    run = Run(1000)
    run.add(run.training(), 1.0)
    helper = run.helper(1)
    run.add((next(helper) for _ in range(100)), 1.0)
    assert run.finish() == 900
    assert run.done.all()


def test_a_helper_that_begins_late_ends_at_once() -> None:
    run = Run(100)
    run.done[: 100 - LEAST_PICTURES + 1] = True
    assert list(run.helper(1)) == []
    assert list(OrderOfHelp(0, 1, lambda number: False, lambda: np.zeros(0, bool))) == []


def test_one_that_finds_its_pictures_computed_by_somebody_else_goes_elsewhere() -> None:
    order = OrderOfHelp(1000, 1, lambda number: False, lambda: np.zeros(1000, bool))
    numbers = iter(order)
    assert [next(numbers) for _ in range(3)] == [999, 998, 997]
    order.begin_elsewhere()
    assert next(numbers) < 900
