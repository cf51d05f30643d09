"""Finds the task that a person means by the beginning of its id."""

from __future__ import annotations

import itertools
import re

from protocol.task_filter import MAX_PAGE_TASKS
from service.command_error import CommandError
from service.exit_codes import ExitCode
from tfmodel_client import Client

#: What lists show of an id. Ids begin with the time, so those of one hour have the first characters in common.
SHORT_ID_CHARS = 12
#: A whole id: the milliseconds since 1970, then random digits.
WHOLE_ID = re.compile(r"[0-9a-f]{32}")
MOST_SHOWN = 5


def find_task_id(client: Client, given: str) -> str:
    """Return the whole id. Raises CommandError if no task or several tasks begin with what was given."""
    if WHOLE_ID.fullmatch(given):
        return given
    # The search also finds tasks whose user or project begins with these characters.
    searched = client.tasks(search=given, limit=MAX_PAGE_TASKS) if given else iter(())
    ids = (task.task_id for task in searched if task.task_id.startswith(given))
    found = list(itertools.islice(ids, MOST_SHOWN + 1))
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:MOST_SHOWN]) + (", …" if len(found) > MOST_SHOWN else "")
        raise CommandError(f"Several tasks begin with {given}: {shown}. Write more of the id.", ExitCode.REFUSED)
    raise CommandError(
        f"No task begins with {given!r}; 'python server.py tasks' lists them.", ExitCode.REFUSED, "unknown_task"
    )
