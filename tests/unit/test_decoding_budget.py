"""The memory that decoding threads share: nobody gets more than there is, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.waiting import TIMEOUT_S
from trainer_worker.pictures.decoding_budget import (
    LEAST_BYTES,
    MOST_BYTES_OF_A_PICTURE,
    DecodingBudget,
    bytes_for,
)


def test_no_more_is_given_than_there_is() -> None:
    budget = DecodingBudget(100)
    lock, held, most = threading.Lock(), [0], [0]

    def decode(wanted: int) -> None:
        with budget.reserved(wanted):
            with lock:
                held[0] += wanted
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= wanted

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [100, 30, 60, 10, 100, 45, 1] * 100, timeout=TIMEOUT_S))
    assert 0 < most[0] <= 100


def test_a_large_picture_is_not_overtaken_by_small_ones() -> None:
    budget = DecodingBudget(100)
    order: list[str] = []
    first_is_in, large_waits = threading.Event(), threading.Event()
    let_go = threading.Event()

    def first() -> None:
        with budget.reserved(50):
            first_is_in.set()
            let_go.wait(TIMEOUT_S)

    def large() -> None:
        large_waits.set()
        with budget.reserved(100):
            order.append("large")

    def small() -> None:
        with budget.reserved(10):
            order.append("small")

    with ThreadPoolExecutor(3) as pool:
        one = pool.submit(first)
        assert first_is_in.wait(TIMEOUT_S)
        two = pool.submit(large)
        assert large_waits.wait(TIMEOUT_S)
        while budget.waiting < 1:  # the large one stands in the queue
            assert not two.done()
        three = pool.submit(small)
        while budget.waiting < 2:
            assert not three.done(), "a small picture has overtaken the large one"
        let_go.set()
        for future in (one, two, three):
            future.result(TIMEOUT_S)
    assert order == ["large", "small"]


def test_what_was_reserved_comes_back_after_an_error() -> None:
    budget = DecodingBudget(100)
    for _ in range(3):
        try:
            with budget.reserved(100):
                raise ValueError
        except ValueError:
            pass
    with budget.reserved(100):
        assert budget.waiting == 0


def test_the_default_follows_the_memory_limit() -> None:
    assert bytes_for(12_000 * 1024**2) == 750 * 1024**2
    assert bytes_for(1_000 * 1024**2) == LEAST_BYTES
    assert DecodingBudget(LEAST_BYTES).most_bytes == LEAST_BYTES
    assert DecodingBudget(bytes_for(12_000 * 1024**2)).most_bytes == MOST_BYTES_OF_A_PICTURE
