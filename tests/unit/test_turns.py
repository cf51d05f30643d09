"""Calls that change the same thing wait for each other."""

from __future__ import annotations

import asyncio
import gc

from web.turns import Turns


def test_only_calls_for_the_same_thing_wait_for_each_other() -> None:
    async def run() -> None:
        turns = Turns()
        async with turns.of("a"):
            assert turns.of("a").locked()
            assert not turns.of("b").locked()
            waiting = asyncio.create_task(turns.of("a").acquire())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(run())


def test_nothing_is_kept_of_a_thing_that_nobody_changes() -> None:
    turns = Turns()
    turns.of("a")
    gc.collect()
    assert not turns._locks
