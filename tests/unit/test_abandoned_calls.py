"""Work for a caller who goes away is given up, whenever that happens."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest
from tornado.web import Finish

from web.answers.refusal import Refusal
from web.calls.abandonable import AbandonableHandler
from web.calls.staying_open import StayingHandler


def handler(kind: type[AbandonableHandler]) -> AbandonableHandler:
    """A handler without a request, which is not needed here."""
    made = kind.__new__(kind)
    made.services, made.request = Mock(), Mock()
    return made


async def for_ever() -> None:
    await asyncio.Event().wait()


async def waits(call: AbandonableHandler) -> None:
    if isinstance(call, StayingHandler):
        await call.while_connected(for_ever())
    else:
        await call.while_caller_waits(for_ever())


@pytest.mark.parametrize("kind", [AbandonableHandler, StayingHandler])
def test_a_call_ends_when_its_caller_goes_away(kind: type[AbandonableHandler]) -> None:
    async def test() -> None:
        call = handler(kind)
        waiting = asyncio.create_task(waits(call))
        await asyncio.sleep(0)
        call.on_connection_close()
        with pytest.raises(Finish):
            await waiting

    asyncio.run(test())


@pytest.mark.parametrize("kind", [AbandonableHandler, StayingHandler])
def test_a_call_whose_caller_went_away_before_does_not_begin_to_wait(kind: type[AbandonableHandler]) -> None:
    async def test() -> None:
        call = handler(kind)
        call.on_connection_close()
        waiting = asyncio.create_task(waits(call))
        done, _ = await asyncio.wait([waiting], timeout=1.0)
        assert done, "a slot would be held for nobody"
        with pytest.raises(Finish):
            waiting.result()

    asyncio.run(test())


def test_a_call_whose_token_was_revoked_while_it_waited_is_refused() -> None:
    async def test() -> None:
        call = StayingHandler.__new__(StayingHandler)
        call.services, call.request = Mock(), Mock()
        call.services.gate.admit.side_effect = Refusal("unauthorized", "The token was revoked.")
        with pytest.raises(Refusal):
            await call.while_connected(asyncio.sleep(0))

    asyncio.run(test())
