"""`python server.py predict`: say what a model sees in pictures, on this machine or by the server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from conf.settings import ROOT
from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.task_ids import find_task_id

MODEL_SUFFIX = ".tflite"
#: Loading the runtime takes a second, and a picture of many tiles takes minutes.
LOCAL_TIMEOUT_S = 600.0
#: The runtime's own notes are of no use to the person who typed the command.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
#: Labels that are shown of a picture, the likeliest first.
MOST_LABELS = 3


def predict(
    model: Annotated[str, Parameter(help="a .tflite file, which runs on this machine; or the id of a task")],
    /,
    *pictures: Annotated[Path, Parameter(help="files of pictures")],
    masks: Path | None = None,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> int:
    """Say what a model sees in pictures.

    The model of a task answers at the server; while the task trains, its best model so far does. The exit code is 1 if
    one of the pictures could not be used.

    Parameters
    ----------
    masks
        the folder for the masks of a segmentation, such as NAME_mask.png for NAME.jpg
    """
    if not pictures:
        raise CommandError("No picture is named; write the files after the model.", ExitCode.BAD_COMMAND_LINE)
    missing = [str(path) for path in pictures if not path.is_file()]
    if missing:
        raise CommandError(f"These are no files: {', '.join(missing)}.", ExitCode.BAD_COMMAND_LINE)
    if masks is not None and len({path.stem for path in pictures}) < len(pictures):
        raise CommandError(
            "Two pictures have the same name, so their masks would have it, too.", ExitCode.BAD_COMMAND_LINE
        )
    if model.endswith(MODEL_SUFFIX):
        found = _on_this_machine(Path(model), pictures)
    else:
        found = _by_the_server(model, pictures, server)
    screen.document({"predictions": found})
    if masks is not None:
        _write_masks(masks, pictures, found)
    for path, prediction in zip(pictures, found, strict=True):
        screen.say(f"{path}  {_words(prediction)}")
    return ExitCode.FAILED if any(prediction.get("error") for prediction in found) else ExitCode.OK


def _on_this_machine(model: Path, pictures: tuple[Path, ...]) -> list[dict[str, Any]]:
    if not model.is_file():
        raise CommandError(f"{model} is not a file.", ExitCode.BAD_COMMAND_LINE)
    command = [sys.executable, "-m", "service.local_prediction", *(str(path.absolute()) for path in (model, *pictures))]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**_without_token(os.environ), **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=LOCAL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{model} has not answered within {LOCAL_TIMEOUT_S:.0f} s.") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[-1]
        raise CommandError(f"{model} cannot be used: {last}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _without_token(environ: Mapping[str, str]) -> dict[str, str]:
    """A process that loads a file of unknown origin needs no secret."""
    return {name: value for name, value in environ.items() if name != "TFMODEL_TOKEN"}


def _by_the_server(given: str, pictures: tuple[Path, ...], server: ServerOptions) -> list[dict[str, Any]]:
    with connected(server) as client:
        answer = client.predict(list(pictures), task_id=find_task_id(client, given))
    # The same fields as on this machine: those of labels or those of a mask.
    return [
        {name: value for name, value in msgspec.to_builtins(prediction).items() if value is not None}
        for prediction in answer.predictions
    ]


def _write_masks(folder: Path, pictures: tuple[Path, ...], found: list[dict[str, Any]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, prediction in zip(pictures, found, strict=True):
            if prediction.get("mask"):
                (folder / f"{path.stem}_mask.png").write_bytes(base64.b64decode(prediction["mask"]))
    except OSError as error:
        raise CommandError(f"The masks could not be written to {folder}: {error}.") from error


def _words(prediction: dict[str, Any]) -> str:
    if prediction.get("error"):
        return str(prediction["error"])
    if prediction.get("shares"):
        return "  ".join(f"{share['label']} {100 * share['share']:.1f} %" for share in prediction["shares"])
    likeliest = sorted(prediction["labels"], key=lambda label: -label["probability"])[:MOST_LABELS]
    words = "  ".join(f"{label['label']} {100 * label['probability']:.1f} %" for label in likeliest)
    return f"unknown ({words})" if prediction["unknown"] else words
