"""`python server.py predict`: say what a model sees in pictures, on this machine or by the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions

MODEL_SUFFIX = ".tflite"


def predict(
    model: Annotated[
        str, Parameter(help="a .tflite file, which runs on this machine; or the id of a task, or its beginning")
    ],
    picture: Annotated[tuple[Path, ...], Parameter(help="files of pictures")],
    /,
    *,
    masks: Path | None = None,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> int:
    """Say what a model sees in pictures.

    The exit code is 1 if one of the pictures could not be used.

    Parameters
    ----------
    masks
        the folder for the masks of a segmentation; each is a PNG with the name of its picture
    """
    missing = [str(path) for path in picture if not path.is_file()]
    if missing:
        raise CommandError(f"These are no files: {', '.join(missing)}.", ExitCode.BAD_COMMAND_LINE)
    return ExitCode.OK
