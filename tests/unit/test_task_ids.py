"""A task that is named by the beginning of its id, wherever it stands among all tasks."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.command_error import CommandError
from service.task_ids import MOST_SHOWN, find_task_id
from tfmodel_client import Client

OLD = "0190" + "0" * 28
NEW = [f"019a{number:028x}" for number in range(300)]


class Lists:
    """A client whose server has these tasks. One user has a name like the beginning of an id."""

    def __init__(self) -> None:
        self.read = 0

    def tasks(self, search: str, limit: int) -> Iterator[Any]:
        assert 1 <= limit <= 200
        for task_id, user_id in (*((task_id, "0190s") for task_id in NEW), (OLD, "anna")):
            if task_id.startswith(search) or user_id.startswith(search):
                self.read += 1
                yield SimpleNamespace(task_id=task_id, user_id=user_id)


def find(given: str, lists: Lists | None = None) -> str:
    return find_task_id(cast("Client", lists or Lists()), given)


def test_an_old_task_is_found_behind_hundreds_of_newer_ones() -> None:
    assert find("0190") == OLD
    assert find(NEW[7]) == NEW[7]


def test_only_a_few_of_many_are_read() -> None:
    lists = Lists()
    with pytest.raises(CommandError, match=r"Several tasks begin with 019a: .*, …\. Write more"):
        find("019a", lists)
    assert lists.read == MOST_SHOWN + 1


@pytest.mark.parametrize("given", ["", "zzz", "0190s"])
def test_what_no_id_begins_with_is_said_to_be_unknown(given: str) -> None:
    with pytest.raises(CommandError, match="No task begins with") as refused:
        find(given)
    assert refused.value.code == "unknown_task"
