"""`python server.py train DIR`: check a folder, post it, and show how the training goes."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from protocol.options import OptionValue, read_options
from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.folder_report import show_report
from service.follow import Follower
from service.name_values import NameValues, name_values
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.train_type import DEFAULT_TRAIN_TYPE, TrainType
from tfmodel_client import Client


@Parameter(name="*")
@dataclass(frozen=True)
class NewTask:
    """The options that describe the task."""

    train_type: TrainType = DEFAULT_TRAIN_TYPE
    option: Annotated[
        NameValues,
        Parameter(help="an option of the task as name=value, such as epochs=20; may be repeated (see docs/options.md)"),
    ] = ()
    user: Annotated[str, Parameter(help="the userId of the task; without it, your login name")] = ""
    project: Annotated[str, Parameter(help="the projectId of the task; without it, the name of the folder")] = ""
    metadata: Annotated[NameValues, Parameter(help="a string that the task keeps, as name=value; may be repeated")] = ()


#: Of a command that was called without them.
DEFAULT_TASK = NewTask()


class Posting(NamedTuple):
    """What is posted."""

    user_id: str
    project_id: str
    project_dir: str
    train_type: str
    options: dict[str, OptionValue]


def train(
    folder: str,
    /,
    *,
    new: NewTask = DEFAULT_TASK,
    detach: bool = False,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> int:
    """Train a model on a folder, and show how it goes.

    The folder is checked first. Ctrl-C asks whether to leave the task running, to stop it early and keep its best
    model, or to cancel it. The exit code says how the task ended. With --json, each event is a line, and the result is
    the last one.

    Parameters
    ----------
    folder
        the folder with the pictures; it must lie in a data root of the server
    detach
        only post the task, and print its id
    """
    path = Path(folder)
    posting = Posting(
        new.user or _login_name(),
        new.project or path.resolve().name,
        # A name that is no folder here may be one for the server: a path on its machine, or below its data roots.
        str(path.resolve()) if path.is_dir() else folder,
        new.train_type,
        _options(new.train_type, new.option),
    )
    kept = name_values(new.metadata, "--metadata")
    with connected(server) as client:
        if not _check(client, posting, screen):
            return ExitCode.FAILED
        task = client.submit(*posting[:4], options=posting.options, metadata=kept)
        screen.line({"type": "posted", "task": task})
        if detach:
            screen.say(task.task_id)
            return ExitCode.OK
        screen.say(f"The task is {task.task_id}.")
        return Follower(client, screen, may_ask=True).run(task)


def _check(client: Client, posting: Posting, screen: Screen) -> bool:
    """Show what a training would find in the folder. Returns whether it could use it."""
    found = client.check(*posting)
    screen.line({"type": "check", "folder": found})
    if not screen.json:
        show_report(found, posting.project_dir)
    return found.trainable


def _options(train_type: str, given: Sequence[str]) -> dict[str, OptionValue]:
    """The options by their names. Raises a CommandError that names every bad one."""
    options, problems = read_options(train_type, name_values(given, "--option"))
    if problems:
        raise CommandError(
            " ".join(problem.error for problem in problems),
            ExitCode.BAD_COMMAND_LINE,
            "bad_fields",
            {problem.field: problem.error for problem in problems},
        )
    return options


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # In a container, the user may have a number and no name.
        return "operator"
