"""All commands of `python server.py`, and how one is called.

Each command is named here with the function that carries it out. The module of a function is imported only when its
command is called, so that `status` does not wait for the imports of the front-end.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cyclopts import App, CycloptsError, Group, Parameter

from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen

PROGRAM = "python server.py"

SERVICE = Group("The service on this machine", sort_key=1)
TASKS = Group("Tasks", sort_key=2)
WORKERS = Group("Workers and queue", sort_key=3)
MODELS = Group("Models", sort_key=4)
OTHER = Group("Other", sort_key=5)


class Command(NamedTuple):
    """function: as module:name. summary: the first line of its docstring, for the list of commands."""

    name: str
    function: str
    group: Group
    summary: str


COMMANDS = (
    Command("start", "service.service_commands:start_command", SERVICE, "Start the service."),
    Command("stop", "service.service_commands:stop_command", SERVICE, "Stop the service."),
    Command("restart", "service.service_commands:restart_command", SERVICE, "Stop, then start."),
    Command("status", "service.status_command:status_command", SERVICE, "Show what is running."),
    Command("run", "service.run_command:run", SERVICE, "Run the front-end alone, in the foreground."),
    Command("doctor", "service.doctor_command:doctor", SERVICE, "Look for what could keep the service from working."),
    Command("backup", "service.journal_commands:backup", SERVICE, "Copy the journal to a file."),
    Command("restore", "service.journal_commands:restore", SERVICE, "Replace the journal by a backup."),
    Command("check", "service.folder_command:check", TASKS, "Say what a training would find in a folder."),
    Command("train", "service.train_command:train", TASKS, "Train a model on a folder, and show how it goes."),
    Command("tasks", "service.task_list_command:tasks", TASKS, "List tasks."),
    Command("show", "service.task_commands:show", TASKS, "Show a task."),
    Command("logs", "service.task_commands:logs", TASKS, "Print the log of a task."),
    Command("stop-task", "service.task_commands:stop_task", TASKS, "End a training early, and keep its best model."),
    Command("cancel", "service.task_commands:cancel", TASKS, "Cancel a task, and drop what it has made."),
    Command("retry", "service.task_commands:retry", TASKS, "Post an ended task again, as a new task."),
    Command("promote", "service.task_commands:promote", TASKS, "Make the model of a task the one in use."),
    Command(
        "join-command",
        "service.join_command:join_command",
        WORKERS,
        "Print the command that starts a worker on another machine.",
    ),
    Command("queue", "service.worker_commands:queue", WORKERS, "List the tasks that wait."),
    Command("predict", "service.predict_command:predict", MODELS, "Say what a model sees in pictures."),
    Command("export", "service.export_command:export", MODELS, "Download the files of a model."),
    Command("completion", "service.completion_command:completion", OTHER, "Print the completion script for a shell."),
)
#: The commands that have commands of their own: group, summary, and their functions by the second word.
COMMAND_GROUPS: dict[str, tuple[Group, str, dict[str, str]]] = {
    "token": (
        SERVICE,
        "Create, list or revoke tokens for the HTTP API.",
        {
            "create": "service.token_commands:create",
            "list": "service.token_commands:show",
            "revoke": "service.token_commands:revoke",
        },
    ),
    "keys": (
        SERVICE,
        "Show or change the keys with which programs reach the broker over TCP.",
        {
            "show": "service.key_commands:show",
            "make": "service.key_commands:make",
            "rotate": "service.key_commands:rotate_pair",
            "end-rotation": "service.key_commands:end_rotation_of",
        },
    ),
    "webhook-secret": (
        SERVICE,
        "Make, change or show the secrets that webhooks are signed with.",
        {
            "create": "service.webhook_commands:create",
            "rotate": "service.webhook_commands:rotate",
            "end-rotation": "service.webhook_commands:end_rotation",
            "show": "service.webhook_commands:show",
        },
    ),
    "journal": (SERVICE, "Move the journal to another place.", {"copy": "service.journal_commands:copy"}),
    "workers": (
        WORKERS,
        "List the workers, or drain one.",
        {
            "list": "service.worker_commands:workers",
            "drain": "service.worker_commands:drain",
            "undrain": "service.worker_commands:undrain",
        },
    ),
}
#: What a command of COMMAND_GROUPS does without a second word.
DEFAULT_SECOND_WORDS = {"keys": "show", "workers": "list"}
HELP_FLAGS = ("--help", "-h")


def command_names() -> list[str]:
    """The first words of all commands."""
    return [command.name for command in COMMANDS] + list(COMMAND_GROUPS)


def command_line(with_summaries: bool = False, listed_group: str = "") -> App:
    """All commands. with_summaries: as the list of commands needs them; otherwise --help shows the whole docstring.

    listed_group: the same for the commands of this one of COMMAND_GROUPS. Their module is imported then.
    """
    app = _app(
        "server.py",
        help=f"{PROGRAM}: operate TFModel, a training server for websites, and train models with it.",
        usage=f"Usage: {PROGRAM} COMMAND [OPTIONS]",
        default_parameter=Parameter(negative="", show_default=False),
    )
    app["--help"].group = OTHER
    for command in COMMANDS:
        summary = command.summary if with_summaries else None
        app.command(command.function, name=command.name, group=command.group, help=summary)
    for name, (group, summary, functions) in COMMAND_GROUPS.items():
        nested = _app(name, help=summary, group=group)
        for second_word, function in functions.items():
            nested.command(function, name=second_word, help=_summary_of(function) if name == listed_group else None)
        app.command(nested)
    return app


def _summary_of(function: str) -> str:
    """The first line of the docstring of a function, which is given as module:name."""
    module, name = function.split(":")
    docstring: str = getattr(importlib.import_module(module), name).__doc__
    return docstring.partition("\n")[0]


def _app(name: str, **settings: Any) -> App:
    return App(name=name, version_flags=(), help_format="markdown", print_error=False, exit_on_error=False, **settings)


def main(words: Sequence[str]) -> int:
    """Carry out the command that these words name. Returns the exit code."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that does not know a character gets its escape instead of a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        return _call(_with_second_word(list(words)))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        _drop_output()
        return ExitCode.OK
    except OSError as error:
        # Not even the error could be printed, for example because stdout is a file on a disk that is full.
        _drop_output()
        with contextlib.suppress(OSError):
            print(f"{error}.", file=sys.stderr)  # noqa: T201 - a command for a person
        return ExitCode.FAILED


def _open_missing_streams() -> None:
    """Python has no object for a stream that the caller has closed, as by `>&-`. Nothing comes from it or goes there.

    Without this, the first file or connection that is opened would be taken for the missing stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process


def _drop_output() -> None:
    """Send what is left in the buffer of stdout nowhere, so that Python doesn't complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_second_word(words: list[str]) -> list[str]:
    """The words, with the second one of a command that can do without."""
    rest = words[1:]
    lacks_one = not rest or (rest[0].startswith("-") and not set(HELP_FLAGS) & set(rest))
    if words and words[0] in DEFAULT_SECOND_WORDS and lacks_one:
        return [words[0], DEFAULT_SECOND_WORDS[words[0]], *rest]
    return words


def _call(words: list[str]) -> int:
    lists_commands = not words or words[0] in HELP_FLAGS
    if not lists_commands and words[0] not in command_names():
        return _bad_command_line(words, _unknown_command(words[0]))
    try:
        command, bound, _ = command_line(lists_commands, _listed_group(words)).parse_args(words)
    except CycloptsError as error:
        error.verbose = False
        return _bad_command_line(words, f"{error} '{PROGRAM} {words[0]} --help' says what it takes.")
    except ImportError as error:
        # Raised by the library, from the error of the module that could not be imported.
        Screen(json="--json" in words).fail(f"{error.__cause__ or error}. '{PROGRAM} doctor' says what is missing.")
        return ExitCode.FAILED
    bound.apply_defaults()
    screen = next((value for value in bound.arguments.values() if isinstance(value, Screen)), TEXT_SCREEN)
    try:
        result = command(*bound.args, **bound.kwargs)
    except CommandError as error:
        screen.fail(str(error), error.code, error.fields)
        return error.exit_code
    except UnicodeEncodeError as error:
        # Words that are not UTF-8 reach Python in a form that cannot be sent.
        sentence = (
            f"{error.object[:200]!r} is not UTF-8, so it cannot be sent; write it in UTF-8, or rename the folder."
        )
        screen.fail(sentence, "bad_command_line")
        return ExitCode.BAD_COMMAND_LINE
    except BrokenPipeError:
        raise
    except OSError as error:
        screen.fail(f"{error}.")
        return ExitCode.FAILED
    if not words or (words[0] in COMMAND_GROUPS and len(words) == 1):
        # The commands were listed because none was named.
        return ExitCode.BAD_COMMAND_LINE
    return result if isinstance(result, int) else ExitCode.OK


def _listed_group(words: list[str]) -> str:
    """The command of COMMAND_GROUPS whose own commands these words list; "" if they list none."""
    lists_one = words and words[0] in COMMAND_GROUPS and (len(words) == 1 or words[1] in HELP_FLAGS)
    return words[0] if lists_one else ""


def _unknown_command(word: str) -> str:
    similar = difflib.get_close_matches(word, command_names(), n=1)
    meant = f" Did you mean {similar[0]!r}?" if similar else ""
    return f"There is no command {word!r}.{meant} '{PROGRAM} --help' lists all commands."


def _bad_command_line(words: list[str], error: str) -> int:
    Screen(json="--json" in words).fail(error, "bad_command_line")
    return ExitCode.BAD_COMMAND_LINE
