"""`server.py check`: what a training would find in a folder, without a running service."""

from __future__ import annotations

import math
from pathlib import Path

from service.exit_codes import ExitCode
from service.folder_report import show_report
from service.screen import TEXT_SCREEN, Screen
from service.train_type import DEFAULT_TRAIN_TYPE, TrainType
from trainer_worker.checking.folder import check_folder
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.training.registry import load_kind


def check(folder: Path, /, *, train_type: TrainType = DEFAULT_TRAIN_TYPE, screen: Screen = TEXT_SCREEN) -> int:
    """Say what a training would find in a folder.

    It needs no running service. The exit code is 1 if a training would fail.

    Parameters
    ----------
    folder
        the folder that holds the pictures
    """
    if not folder.is_dir():
        screen.fail(f"{folder} is not a folder. Name the folder that holds the pictures.")
        return ExitCode.FAILED
    with ProjectFolder.open(folder) as project:
        report = check_folder(load_kind(train_type), project, math.inf)
    if screen.json:
        screen.document(report)
    else:
        show_report(report, str(folder))
    return ExitCode.OK if report.trainable else ExitCode.FAILED
