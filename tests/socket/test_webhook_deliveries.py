"""Events of a journal arrive at receivers: each at least once, in order within its task, under one id."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.webhook_journal import LIFE, Bench, Journal, bench, destinations_of, task_id
from tests.webhook_receiver import Reaction, Received, Receiver


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def types_by_task(received: Iterable[Received]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in received:
        found[each.json["taskId"]].append(each.json["type"])
    return dict(found)


def ids(receiver: Receiver) -> set[str]:
    """Of the events that have arrived. One may arrive twice, because its answer came after the time-out."""
    return {each.headers["webhook-id"] for each in receiver.received}


async def started(place: Bench, destinations: int = 1) -> None:
    """Until the destinations stand at the newest fact."""
    await place.until_quiet(destinations)


def test_every_event_arrives_in_order_of_its_task(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver() as receiver:
            journal = Journal()
            journal.add(99, "task.submitted")  # happened before there was a destination
            async with bench(tmp_path, journal, DESTINATIONS=destinations_of({"website": receiver})) as place:
                await started(place)
                for each in LIFE:
                    for number in range(30):
                        place.add(number, each)
                await place.until_quiet()
            assert types_by_task(receiver.received) == {task_id(number): list(LIFE) for number in range(30)}
            assert len({each.headers["webhook-id"] for each in receiver.received}) == 150
            assert place.figure("tfmodel_webhook_attempts_total", destination="website", result="delivered") == 150

    run(scenario())


def test_the_next_event_of_a_task_waits_until_the_one_before_has_arrived_and_other_tasks_do_not(tmp_path: Path) -> None:
    failures = {task_id(1): 3, task_id(2): 1}
    lock = threading.Lock()

    def react(request: Received) -> Reaction:
        with lock:
            left = failures.get(request.json["taskId"], 0)
            failures[request.json["taskId"]] = left - 1
        return 500 if left > 0 else 200

    async def scenario() -> None:
        with Receiver(react) as receiver:
            async with bench(tmp_path, Journal(), DESTINATIONS=destinations_of({"website": receiver})) as place:
                await started(place)
                for number in (1, 2, 3):
                    place.add(number, *LIFE)
                await place.until_quiet()
        assert types_by_task(receiver.delivered()) == {task_id(number): list(LIFE) for number in (1, 2, 3)}
        first = [each for each in receiver.received if each.json["taskId"] == task_id(1)]
        assert [each.json["type"] for each in first][:4] == ["task.submitted"] * 4
        assert len({each.headers["webhook-id"] for each in first[:4]}) == 1
        assert len({each.body for each in first[:4]}) == 1

    run(scenario())


def test_a_receiver_that_hangs_holds_up_no_other_and_few_attempts(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver(lambda _: "hang") as hangs, Receiver(lambda _: "drip") as drips, Receiver() as works:
            receivers = {"hangs": hangs, "drips": drips, "works": works}
            async with bench(tmp_path, Journal(), DESTINATIONS=destinations_of(receivers), TIMEOUT_S=0.3) as place:
                await started(place, 3)
                for number in range(40):
                    place.add(number, "task.done")
                await place.until(lambda: len(ids(works)) == 40, "all events at the receiver that works")
                await place.until(lambda: len(hangs.received) > 9, "more attempts at the one that hangs")
                overview = await place.webhooks.overview(0, 10)
                assert overview.counts["hangs"].waiting == overview.counts["drips"].waiting == 40

    run(scenario())


def test_what_a_destination_wants_is_what_it_gets(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver() as receiver:
            given = destinations_of({"website": receiver}, events=["task.done"], user_id="anna", format="form")
            async with bench(tmp_path, Journal(), DESTINATIONS=given) as place:
                await started(place)
                place.add(1, *LIFE)
                place.add(2, *LIFE, user="bob")
                await place.until_quiet()
        (received,) = receiver.received
        assert received.body == f"taskId={task_id(1)}&modelPath=&progress=0.0&state=processing".encode()
        assert received.headers["content-type"] == "application/x-www-form-urlencoded"

    run(scenario())


def test_a_task_may_have_a_receiver_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver() as receiver, Receiver() as other:
            journal = Journal()
            journal.urls = {task_id(1): receiver.url, task_id(2): "", task_id(3): other.url}
            allowed = f"http://127.0.0.1:{receiver.port}"
            async with bench(tmp_path, journal, ALLOWED_HOSTS=allowed) as place:
                await started(place)
                for number in (1, 2, 3, 4):  # the fourth is no longer known
                    place.add(number, *LIFE)
                await place.until_quiet()
        assert types_by_task(receiver.received) == {task_id(1): list(LIFE)}
        assert other.received == []

    run(scenario())


def test_what_is_given_up_becomes_a_dead_letter_that_can_be_sent_again(tmp_path: Path) -> None:
    gone = True

    def react(request: Received) -> Reaction:
        return 410 if gone and request.json["type"] == "task.started" else 200

    async def scenario() -> None:
        nonlocal gone
        with Receiver(react) as receiver:
            async with bench(tmp_path, Journal(), DESTINATIONS=destinations_of({"website": receiver})) as place:
                await started(place)
                place.add(1, *LIFE)
                await place.until_quiet()
                assert types_by_task(receiver.delivered())[task_id(1)] == [x for x in LIFE if x != "task.started"]
                (dead,) = (await place.webhooks.overview(0, 10)).dead
                assert (dead.event_type, dead.status, dead.attempts) == ("task.started", 410, 1)
                gone = False
                assert await place.webhooks.resend(dead.number + 1000) is None
                assert await place.webhooks.resend(dead.number) is not None
                await place.until_quiet()
                assert receiver.received[-1].headers["webhook-id"] == dead.webhook_id
                assert await place.webhooks.resend(dead.number) is None
                assert (await place.webhooks.overview(0, 10)).dead == []

    run(scenario())


def test_after_the_time_that_is_allowed_an_event_is_given_up_and_the_next_one_has_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.webhooks.service.COUNT_INTERVAL_S", 0.02)

    async def scenario() -> None:
        with Receiver(lambda _: 500) as receiver:
            given = destinations_of({"website": receiver})
            async with bench(tmp_path, Journal(), DESTINATIONS=given, KEEP_TRYING_S=1) as place:
                await started(place)
                place.add(1, "task.submitted", "task.started")
                await place.until_quiet()
                dead = (await place.webhooks.overview(0, 10)).dead
                assert [each.event_type for each in dead] == ["task.started", "task.submitted"]
                assert dead[1].attempts > 2
                await place.until(
                    lambda: place.figure("tfmodel_webhook_dead_letters", destination="website") == 2, "the figure"
                )

    run(scenario())


def test_a_restart_goes_on_where_it_was_and_repeats_with_the_same_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver(lambda _: "hang") as receiver:
            journal, given = Journal(), destinations_of({"website": receiver})
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await started(place)
                place.add(1, *LIFE)
                await place.until(lambda: receiver.received, "the first attempt")
            journal.add(2, *LIFE)  # while no front-end runs
            receiver.react = lambda _: 204
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await place.until_quiet()
        assert types_by_task(receiver.delivered()) == {task_id(1): list(LIFE), task_id(2): list(LIFE)}
        cut, again = (
            each for each in receiver.received if b"task.submitted" in each.body and task_id(1) in str(each.body)
        )
        assert (cut.reaction, again.reaction) == ("hang", 204)
        assert (cut.headers["webhook-id"], cut.body) == (again.headers["webhook-id"], again.body)

    run(scenario())


def test_while_the_broker_is_away_nothing_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.webhooks.event_feed.PAUSE_S", 0.01)

    async def scenario() -> None:
        with Receiver() as receiver:
            journal = Journal()
            async with bench(tmp_path, journal, DESTINATIONS=destinations_of({"website": receiver})) as place:
                await started(place)
                journal.away = True
                place.add(1, *LIFE)
                asked = journal.asked
                await place.until(lambda: journal.asked > asked + 1, "a front-end that asks in vain")
                assert receiver.received == []
                journal.away = False
                await place.until_quiet()
        assert types_by_task(receiver.received) == {task_id(1): list(LIFE)}

    run(scenario())


def test_facts_that_the_journal_has_deleted_are_counted_and_the_rest_arrives(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver() as receiver:
            journal, given = Journal(), destinations_of({"website": receiver})
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await started(place)
            journal.add(1, *LIFE)
            journal.kept_after = 3
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await place.until_quiet()
                assert place.figure("tfmodel_webhook_missed_facts_total") == 3
        assert types_by_task(receiver.received) == {task_id(1): ["artifact.ready", "task.done"]}

    run(scenario())


def test_after_a_restored_journal_webhooks_go_on_with_what_happens_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver() as receiver:
            journal, given = Journal(), destinations_of({"website": receiver})
            journal.add(1, *LIFE)
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await started(place)
                place.add(2, *LIFE)
                await place.until_quiet()
            restored = Journal()
            restored.add(1, "task.submitted")
            async with bench(tmp_path, restored, DESTINATIONS=given) as place:
                while (await place.webhooks.overview(0, 1)).records[0].handed_over > restored.seq:
                    place.webhooks.take(restored.tick())
                    await asyncio.sleep(0.01)
                place.add(3, "task.submitted")
                await place.until_quiet()
        assert types_by_task(receiver.received)[task_id(3)] == ["task.submitted"]

    run(scenario())


def test_a_destination_that_left_the_settings_keeps_its_webhooks_as_dead_letters(tmp_path: Path) -> None:
    async def scenario() -> None:
        with Receiver(lambda _: 500) as receiver, Receiver() as other:
            journal, given = Journal(), destinations_of({"website": receiver})
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                await started(place)
                place.add(1, "task.submitted")
                await place.until(lambda: receiver.received, "the first attempt")
            async with bench(tmp_path, journal, DESTINATIONS=destinations_of({"other": other})) as place:
                await place.until_quiet()
                (dead,) = (await place.webhooks.overview(0, 10)).dead
                assert "no longer in the settings" in dead.error
            receiver.react = lambda _: 204
            journal.add(2, "task.submitted")
            async with bench(tmp_path, journal, DESTINATIONS=given) as place:
                assert await place.webhooks.resend(dead.number) is not None
                await place.until_quiet()
        assert set(types_by_task(receiver.delivered())) == {task_id(1), task_id(2)}

    run(scenario())


def test_of_two_front_ends_one_delivers_and_the_other_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.webhooks.service.LOCK_INTERVAL_S", 0.01)

    async def scenario() -> None:
        with Receiver() as receiver:
            journal, given = Journal(), destinations_of({"website": receiver})
            async with contextlib.AsyncExitStack() as stack:
                first = await stack.enter_async_context(bench(tmp_path, journal, DESTINATIONS=given))
                await started(first)
                async with bench(tmp_path, journal, DESTINATIONS=given) as second:
                    first.add(1, *LIFE)
                    second.webhooks.take(journal.tick())
                    await first.until_quiet()
                    assert (await second.webhooks.overview(0, 1)).delivers is False
                    assert len(receiver.received) == len(LIFE)
                    await stack.aclose()
                    second.add(2, *LIFE)
                    await second.until(lambda: len(receiver.received) == 2 * len(LIFE), "the second front-end")

    run(scenario())


def test_a_damaged_file_stops_only_the_webhooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.webhooks.service.PAUSE_S", 0.01)

    async def scenario() -> None:
        with Receiver() as receiver:
            file = tmp_path / "var" / "webhooks.sqlite3"
            file.parent.mkdir()
            file.write_bytes(b"no database" * 1000)
            async with bench(tmp_path, Journal(), DESTINATIONS=destinations_of({"website": receiver})) as place:
                await place.until(lambda: place.figure("tfmodel_webhooks_stuck") == 1, "the figure")
                file.unlink()
                await started(place)
                place.add(1, *LIFE)
                await place.until_quiet()
                assert place.figure("tfmodel_webhooks_stuck") == 0
        assert len(receiver.received) == len(LIFE)

    run(scenario())
