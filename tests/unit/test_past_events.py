"""Events of the past are the ones that were published, whatever has happened and wherever a reader begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import past_events
from broker.facts import (
    NEXT_STATES,
    ArtifactReady,
    CancelRequested,
    Done,
    Fact,
    Leased,
    Record,
    Requeued,
    StopRequested,
    Submitted,
    evolve,
)
from broker.journal import Journal, JournalError
from broker.journal_rows import FactRow, record_of
from broker.journal_store import JournalStore
from broker.past_events import PastEvents
from protocol.bounds import PART_BYTES
from protocol.queries import EventsPart, EventsWanted
from protocol.task import TaskState
from tests.journal_histories import History
from tests.journals import JOURNALS, new_store, run_sql, temporary_store
from tests.sample_tasks import hex_id, make_spec

TASKS = [hex_id(number) for number in range(4)]
#: SQLite keeps any value in any column. PostgreSQL refuses these.
ONLY_IN_SQLITE = ("UPDATE facts SET fact = x'ff00' WHERE seq = 11", "UPDATE facts SET at_s = 'noon' WHERE seq = 10")


#: What may happen next: of the kinds in this order, the first that can follow.
KINDS = st.permutations([kind for _, kind in NEXT_STATES]).map(lambda kinds: [*kinds, Submitted])
STEPS = st.lists(st.tuples(st.sampled_from(TASKS), KINDS), max_size=40)


@pytest.fixture(params=JOURNALS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JournalStore:
    return new_store(request.param, tmp_path)


def read_all(past: PastEvents, task_id: str = "", most: int = 1000, after: int = 0) -> Iterator[EventsPart]:
    """The parts, until the journal has no more."""
    while True:
        part = past.part(EventsWanted(7, after, task_id, most))
        assert part.request_id == 7
        assert part.up_to > after or part.up_to >= part.seq
        yield part
        if part.up_to >= part.seq:
            return
        after = part.up_to


@pytest.mark.parametrize("kind", JOURNALS)
@settings(max_examples=30, deadline=None)
@given(steps=STEPS, most=st.integers(1, 7), after=st.integers(0, 40))
def test_what_is_read_back_is_what_was_published(
    kind: str, steps: list[tuple[str, list[type[Fact]]]], most: int, after: int
) -> None:
    history = History()
    for task_id, kinds in steps:
        history.add_any(task_id, kinds)
    with temporary_store(kind) as store, store.open() as journal:
        journal.append(history.records, history.tasks.values())
        with closing(store.open_view()) as view:
            past = PastEvents(view)
            for task_id in ("", *TASKS):
                parts = list(read_all(past, task_id, most, after))
                expected = [e for e in history.events if e.id > after and task_id in ("", e.task_id)]
                assert [event for part in parts for event in part.events] == expected
                assert all(len(part.events) <= most for part in parts)
                assert parts[-1].up_to == max(after, len(history.records))
                assert {part.kept_after for part in parts} == {0}


def tell_a_long_story(journal: Journal, tasks: int) -> History:
    history = History()
    for number in range(tasks):
        for kind in (Submitted, Leased, Requeued, Leased, StopRequested, ArtifactReady, Done):
            history.add_any(hex_id(number), [kind])
    journal.append(history.records, history.tasks.values())
    return history


def test_deleted_facts_are_said_to_be_missing(store: JournalStore) -> None:
    with store.open() as journal, closing(store.open_view()) as view:
        history = tell_a_long_story(journal, 3)
        past = PastEvents(view)
        assert past.part(EventsWanted(1, 0)).kept_after == 0
        ended_at_s = [history.tasks[hex_id(number)].ended_at_s for number in range(3)]
        assert journal.prune(ended_at_s[1]) == 1
        part = past.part(EventsWanted(1, 0))
        assert (part.kept_after, part.seq) == (7, 21)
        # On a busy machine, a part may end early.
        assert [event for part in read_all(past) for event in part.events] == history.events[7:]
        assert journal.prune(ended_at_s[2] + 1) == 2
        assert past.part(EventsWanted(1, 0)) == EventsPart(1, 21, (), 21, 21)
    with store.open(), closing(store.open_view()) as view:
        assert PastEvents(view).part(EventsWanted(1, 3, hex_id(0))) == EventsPart(1, 21, (), 21, 21)


@pytest.mark.parametrize(
    ("damage", "left_out"),
    [
        ("UPDATE facts SET fact = '{' WHERE seq = 9", {9}),
        ("UPDATE facts SET fact = x'ff00' WHERE seq = 11", {11, 12, 13, 14}),
        ("UPDATE facts SET at_s = 'noon' WHERE seq = 10", {10}),
        ("UPDATE facts SET at_s = 1e300 WHERE seq = 10", {10}),
        ("UPDATE facts SET fact = (SELECT fact FROM facts WHERE seq = 1) WHERE seq = 8", set(range(8, 15))),
        ("UPDATE facts SET task_id = 'else' WHERE seq = 11", {11, 12, 13, 14}),
        ("UPDATE facts SET fact = replace(fact, '\"attempt\":2', '\"attempt\":7') WHERE seq = 14", {14}),
    ],
)
def test_facts_that_cannot_be_read_keep_nobody_from_the_others(
    store: JournalStore, damage: str, left_out: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    with store.open() as journal:
        history = tell_a_long_story(journal, 3)
    try:
        run_sql(store, damage)
    except JournalError:
        assert damage in ONLY_IN_SQLITE
        return
    with closing(store.open_view()) as view:
        past = PastEvents(view)
        for _ in range(2):
            read = {event.id: event for part in read_all(past) for event in part.events}
    assert read == {event.id: event for event in history.events if event.id not in left_out}
    assert 1 <= caplog.text.count("action=journal.event_left_out") <= 2, "once for each task"


def test_a_part_fits_into_a_message(store: JournalStore) -> None:
    with store.open() as journal, closing(store.open_view()) as view:
        records = []
        for seq in range(1, 41):
            metadata = {f"name{number}": "x" * 500 for number in range(20)}
            spec = make_spec(hex_id(seq), "u" * 4096, project_dir="d" * 4096, metadata=metadata, project_id="p" * 4096)
            records.append(Record(seq, 1.0, spec.task_id, Submitted(spec)))
        journal.append(records, [evolve(None, record) for record in records])
        more = [Record(seq, 2.0, hex_id((seq - 1) % 40 + 1), CancelRequested()) for seq in range(41, 401)]
        journal.append(more, [])
        parts = list(read_all(PastEvents(view)))
    assert [event.id for part in parts for event in part.events] == list(range(1, 401))
    assert len(parts) > 4
    assert all(sum(len(past_events._encoder.encode(e)) for e in part.events) <= PART_BYTES for part in parts)


def test_a_reader_gets_a_part_when_the_time_is_up(store: JournalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.open() as journal, closing(store.open_view()) as view:
        history = tell_a_long_story(journal, 2)
        monkeypatch.setattr(past_events, "READ_LIMIT_S", -1.0)
        parts = list(read_all(PastEvents(view)))
    assert [len(part.events) for part in parts] == [1] * 14
    assert [part.events[0] for part in parts] == history.events


def test_a_task_that_was_handed_back_a_thousand_times_costs_no_more_than_another(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History()
    history.add_any(TASKS[0], [Submitted])
    for _ in range(1000):
        history.add_any(TASKS[0], [Leased])
        history.add_any(TASKS[0], [Requeued])
    history.add_any(TASKS[0], [CancelRequested])
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append(history.records, history.tasks.values())
        decoded: list[FactRow] = []

        def count(row: FactRow) -> Record:
            decoded.append(row)
            return record_of(row)

        monkeypatch.setattr(past_events, "record_of", count)
        part = PastEvents(view).part(EventsWanted(1, 2001))
    assert list(part.events) == history.events[2001:]
    assert len(decoded) == 3, "the fact, the first one of the task, and the one before"
    assert part.events[0].state == TaskState.PENDING
    assert part.events[0].attempt == 1001
