"""Finds the task that a person means by the beginning of its id."""

from __future__ import annotations

import re

from service.command_error import CommandError
from service.exit_codes import ExitCode
from tfmodel_client import Client

#: How many of the newest tasks are searched for an id with the given beginning.
NEWEST_TASKS = 200
#: What lists show of an id. Ids begin with the time, so those of one hour have the first characters in common.
SHORT_ID_CHARS = 12
#: A whole id: the milliseconds since 1970, then random digits.
WHOLE_ID = re.compile(r"[0-9a-f]{32}")
MOST_SHOWN = 5


def find_task_id(client: Client, given: str) -> str:
    """Return the whole id. Raises CommandError if no task or several tasks begin with what was given."""
    if WHOLE_ID.fullmatch(given):
        return given
    newest = client.task_page(limit=NEWEST_TASKS).tasks
    found = [task.task_id for task in newest if given and task.task_id.startswith(given)]
    if given in found:
        return given
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:MOST_SHOWN]) + (" …" if len(found) > MOST_SHOWN else "")
        raise CommandError(f"{len(found)} tasks begin with {given}: {shown}. Write more of the id.", ExitCode.REFUSED)
    raise CommandError(
        f"None of the {len(newest)} newest tasks begins with {given!r}; 'python server.py tasks' lists them. An older "
        "task needs its whole id.",
        ExitCode.REFUSED,
        "unknown_task",
    )
