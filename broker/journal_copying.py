"""Copies a journal from one place to another, whatever their kinds, and compares the copy with its source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing

import msgspec

from broker.facts import Record
from broker.journal import Journal, JournalError
from broker.journal_rows import fact_json, record_of, task_json, task_of
from broker.journal_store import JournalStore
from broker.journal_view import JournalView
from protocol.task import Task, TaskState
from protocol.task_filter import TaskFilter

#: The number of facts or tasks that are read and written at once.
PART = 1000


class Copied(msgspec.Struct, frozen=True):
    """left_out: the ids of tasks that were not copied, because one of their facts or their record cannot be read."""

    facts: int
    tasks: int
    left_out: tuple[str, ...]


class _Read(msgspec.Struct, frozen=True):
    """All that can be read of a journal. digest: of every fact, every task and the numbers of facts, in order."""

    facts: int
    task_ids: tuple[str, ...]
    unreadable: frozenset[str]
    last_seq: int
    digest: str


def copy_journal(source: JournalStore, target: JournalStore) -> Copied:
    """Copy all of `source` into the blank `target`. No broker may use either of them. Raises JournalError."""
    if source.is_blank():
        raise JournalError(f"There is no journal at {source.shown}.")
    if not target.is_blank():
        raise JournalError(f"{target.shown} has a journal already ({target.examine()}); name an empty place.")
    # A writer keeps every broker out.
    with source.open() as old:
        found = _read(old.view, frozenset())
        expected = _read(old.view, found.unreadable) if found.unreadable else found
        try:
            with target.open() as new:
                _write(old.view, new, expected, found.unreadable)
            with closing(target.open_view()) as view:
                copy = _read(view, frozenset())
        except JournalError as error:
            raise JournalError(f"{error} An unfinished copy is left at {target.shown}; remove it.") from error
    if copy.digest != expected.digest or copy.facts != expected.facts or copy.task_ids != expected.task_ids:
        raise JournalError(f"The copy at {target.shown} is not the same as {source.shown}; remove it.")
    return Copied(copy.facts, len(copy.task_ids), tuple(sorted(found.unreadable)))


def _write(view: JournalView, new: Journal, expected: _Read, left_out: frozenset[str]) -> None:
    with view.snapshot():
        for records, _ in _facts(view, left_out):
            new.append(records, [])
        for tasks, _ in _tasks(view, expected.task_ids):
            new.append([], tasks)
        pruned_up_to = view.pruned_up_to()
        # The number of a fact that was left out is not given again either.
        new.note_pruned(view.newest_seq() if view.newest_seq() > expected.last_seq else pruned_up_to)


def _read(view: JournalView, left_out: frozenset[str]) -> _Read:
    """Read all but the tasks in left_out."""
    digest = hashlib.sha256()
    facts = last_seq = 0
    # A dict keeps the order of the first facts.
    ids: dict[str, None] = {}
    unreadable: set[str] = set()
    with view.snapshot():
        for records, bad in _facts(view, left_out):
            unreadable |= bad
            for record in records:
                digest.update(f"{record.seq} {record.at_s!r} {record.task_id} {fact_json(record)}\n".encode())
                ids[record.task_id] = None
                facts, last_seq = facts + 1, record.seq
        task_ids = tuple(task_id for task_id in ids if task_id not in unreadable)
        for tasks, bad in _tasks(view, task_ids):
            unreadable |= bad
            for task in tasks:
                digest.update(f"{task_json(task)}\n".encode())
        if not left_out and not unreadable:
            counts = {state: view.count(TaskFilter(), state) for state in TaskState}
            if sum(counts.values()) != len(task_ids):
                raise JournalError(f"The journal lists {sum(counts.values())} tasks, but has facts of {len(task_ids)}.")
    return _Read(facts, task_ids, frozenset(unreadable), last_seq, digest.hexdigest())


def _facts(view: JournalView, left_out: frozenset[str]) -> Iterator[tuple[list[Record], set[str]]]:
    """All facts in parts, and the ids of tasks whose facts cannot be read."""
    last = 0
    while rows := list(view.facts_after(last, PART)):
        records, bad = [], set()
        for row in rows:
            # In a damaged row of SQLite, the id may be of another type.
            task_id = str(row[2])
            if task_id in left_out:
                continue
            try:
                records.append(record_of(row))
            except msgspec.DecodeError:
                bad.add(task_id)
        yield records, bad
        last = rows[-1][0]


def _tasks(view: JournalView, task_ids: tuple[str, ...]) -> Iterator[tuple[list[Task], set[str]]]:
    """These tasks in parts, and the ids of those whose records cannot be read."""
    for start in range(0, len(task_ids), PART):
        part = task_ids[start : start + PART]
        tasks, missing = [], set(part)
        for row in view.tasks(part):
            try:
                tasks.append(task_of(row))
            except msgspec.DecodeError:
                continue
            missing.discard(row[0])
        yield tasks, missing
