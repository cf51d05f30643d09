"""The same folder and options again: the model that was made of them is taken over.

A model carries the fingerprint of everything it depends on. A task with the same fingerprint gets a copy of it, of the
files that its manifest lists and only if they have the hashes that it lists.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import posixpath
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from protocol.end_reason import EndReason
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.litter import LABEL_SUFFIXES, may_be_picture, suffix_of
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import Manifest
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import Tell, finished_models, nothing, open_listed

#: Raised when the same folder and options would give another model than before.
TRAINERS_VERSION = 7
#: These say when a task is trained and for how long: only whole trainings are taken over.
_OPTIONS_WITHOUT_INFLUENCE = frozenset({"priority", "maxSeconds"})

log = logging.getLogger(__name__)


def fingerprint(
    project_dir: Path,
    train_type: str,
    options: dict[str, Any],
    weights_file: Path | None = None,
    on_step: Callable[[float], None] = lambda fraction: None,
) -> str:
    """A hash of the names and contents of all files that trainers read, trainType, options, weights and trainers.

    "" if one of the files can't be read or is too large: such a folder equals no other. weights_file: see Job.
    on_step: told the finished fraction often; an exception from it ends the hashing.
    """
    user_files = UserFiles(project_dir)
    tree = walk(user_files, lambda: on_step(0.0))
    read = [path for path in tree.files if _is_read(path)]
    hashes = content_hashes(user_files, [project_dir / path for path in read], on_step)
    weights = content_hashes(UserFiles(Path("/")), [weights_file] if weights_file else [])
    unread = [path for path, content in zip(read, hashes, strict=True) if not content]
    if unread or not all(weights):
        log.info("action=task.not_compared files=%d first=%r", len(unread), (unread or [str(weights_file)])[0])
        return ""
    contents = {**dict(zip(read, hashes, strict=True)), **{skip.file: skip.reason for skip in tree.skipped}}
    named = sorted((os.fsencode(path).hex(), content) for path, content in contents.items())
    options = {name: value for name, value in options.items() if name not in _OPTIONS_WITHOUT_INFLUENCE}
    facts = [TRAINERS_VERSION, train_type, sorted(options.items()), named, weights]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def take_over(project: ProjectFolder, mark: str, task_id: str, attempt: int, tell: Tell = nothing) -> Manifest | None:
    """Publish a copy of the newest finished model with that fingerprint as this task's; None where there is none.

    A model whose files are not as its manifest says is passed over. tell: called often; what it raises ends the work.
    Raises as ModelFolder does.
    """
    if not mark:
        return None
    with contextlib.suppress(OSError), project.models() as models:
        for model in finished_models(models, tell):
            twin = model.manifest
            if twin.fingerprint == mark and twin.end_reason is not EndReason.STOPPED:
                copy = _copy(project, twin, task_id, attempt, tell)
                if copy is not None:
                    return copy
    return None


def _copy(project: ProjectFolder, twin: Manifest, task_id: str, attempt: int, tell: Tell) -> Manifest | None:
    began_s = time.perf_counter()
    with ModelFolder(project, task_id, attempt) as copy:
        try:
            with project.models() as models, models.folder(twin.task_id) as source:
                for file in twin.files:
                    with open_listed(source, file) as content:
                        if copy.add(file.path, content, tell) != file:
                            raise FileNotFoundError(f"{file.path} is not as it was written")
        except OSError as error:
            log.warning("action=model.not_taken_over from=%s reason=%r", twin.task_id, str(error))
            return None
        seconds = {"take_over": round(time.perf_counter() - began_s, 3)}
        changes = {"task_id": task_id, "attempt": attempt, "taken_over_from": twin.task_id, "stage_seconds": seconds}
        copy.publish({**twin.content, **changes})
    return msgspec.structs.replace(twin, task_id=task_id, stage_seconds=seconds)


def _is_read(path: str) -> bool:
    """Whether a trainer may read a file of that name: as a picture, or for the labels of pictures."""
    return may_be_picture(posixpath.basename(path)) or suffix_of(path) in LABEL_SUFFIXES
