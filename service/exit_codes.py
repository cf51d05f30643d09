"""The exit codes of `python server.py`. docs/commands.md has the table that `exit_code_table` makes."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """How a command ended. `meaning` is what the documents say about it."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> ExitCode:
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code

    OK = 0, "it worked; a task that was followed is `done`"
    FAILED = 1, "it did not work, and the message says why; a task that was followed is `failed`"
    BAD_COMMAND_LINE = 2, "the command line is wrong: an unknown command or option, or a value that is not allowed"
    NOT_RUNNING = 3, "no server answers; start it with `python server.py start`, or name another one with `--server`"
    REFUSED = 4, "the server refuses the call: a bad field or option, an unknown task, a missing or wrong token"
    CANCELLED = 5, "a task that was followed is `cancelled`"
    STILL_RUNNING = 6, "a task was left running: the command was told so, or was interrupted without a terminal"
    BAD_SETTINGS = 78, "`run`: the settings are bad; a service manager should not start it again"
    INTERRUPTED = 130, "Ctrl-C ended the command"


def exit_code_table() -> list[tuple[str, str]]:
    """The rows of the table in docs/commands.md: code and meaning."""
    return [(str(int(code)), code.meaning) for code in ExitCode]
