"""Takes over an earlier model if a task has the same folder and options as the task that made it.

A manifest has a fingerprint of everything that the model depends on. A task with the same fingerprint gets a copy of
the files that the manifest lists, provided that their hashes are still the listed ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from protocol.end_reason import EndReason
from protocol.project_layout import MODELS
from trainer_worker.pictures.contents import content_hashes, sha256_of
from trainer_worker.pictures.listing import is_litter
from trainer_worker.pictures.text_files import TEXT_FILES
from trainer_worker.pictures.user_files import Kind, RefusedFileError, UserFiles
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import Manifest
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import Tell, finished_models, nothing, open_listed

#: Increase this when the same folder and options would give another model than before.
TRAINERS_VERSION = 6
#: These say when a task is trained and for how long. Models of stopped trainings are not taken over anyway.
_OPTIONS_WITHOUT_INFLUENCE = frozenset({"priority", "maxSeconds"})

log = logging.getLogger(__name__)


def fingerprint(
    files: UserFiles,
    train_type: str,
    options: dict[str, Any],
    weights_file: Path | None = None,
    on_step: Callable[[float], None] = lambda fraction: None,
) -> str:
    """A hash of names and contents of all files that trainers read, trainType, options, weights and TRAINERS_VERSION.

    "" if a file can't be read or is too large; such a folder is never taken for unchanged. weights_file: see Job.
    on_step: often called with the finished fraction. An exception from it ends the hashing.
    """
    regular: list[Path] = []
    links: list[Path] = []
    for path, kind in _input_files(files):
        on_step(0.0)
        (links if kind == "link" else regular).append(path)
    # A link may lead to a file that is not looked at by its own name: below a hidden folder, or below models/.
    hashes = content_hashes(files, [*regular, *links], on_step)
    behind_links = hashes[len(regular) :]
    del hashes[len(regular) :]
    weights = [_content_of_weights(weights_file)] if weights_file else []
    if not all([*hashes, *weights]):
        unread = [path for path, content in zip(regular, hashes, strict=True) if not content]
        log.info("action=task.not_compared files=%d first=%r", len(unread), str(unread[0] if unread else weights_file))
        return ""
    contents = dict(zip(regular, hashes, strict=True))
    contents |= {link: f"{_target(files, link)} {content}" for link, content in zip(links, behind_links, strict=True)}
    named = sorted((os.fsencode(files.name_of(path)).hex(), content) for path, content in contents.items())
    options = {name: value for name, value in options.items() if name not in _OPTIONS_WITHOUT_INFLUENCE}
    facts = [TRAINERS_VERSION, train_type, sorted(options.items()), named, weights]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def take_over(project: ProjectFolder, mark: str, task_id: str, attempt: int, tell: Tell = nothing) -> Manifest | None:
    """Publish a copy of the newest finished model with the fingerprint `mark` as this task's; None if there is none.

    A model whose files differ from its manifest is skipped. tell: called often; an exception from it ends the work.
    Raises what ModelFolder raises.
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
                            raise FileNotFoundError(f"{file.path} has changed since it was written")
        except OSError as error:
            log.warning("action=model.not_taken_over from=%s reason=%r", twin.task_id, str(error))
            return None
        seconds = {"take_over": round(time.perf_counter() - began_s, 3)}
        changes = {"task_id": task_id, "attempt": attempt, "taken_over_from": twin.task_id, "stage_seconds": seconds}
        copy.publish({**twin.content, **changes})
    return msgspec.structs.replace(twin, task_id=task_id, stage_seconds=seconds)


def _input_files(files: UserFiles) -> Iterator[tuple[Path, Kind]]:
    """Regular files that trainers may read, and links. Models and hidden entries are left out."""
    pending = [files.project_dir]
    while pending:
        folder = pending.pop()
        with contextlib.suppress(RefusedFileError):
            for entry in files.entries(folder):
                path = folder / entry.name
                if entry.name.startswith(".") or path == files.project_dir / MODELS:
                    continue
                if entry.kind == "folder":
                    pending.append(path)
                elif entry.kind == "link" or (entry.kind == "file" and _is_read(entry.name)):
                    yield path, entry.kind


def _content_of_weights(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return sha256_of(opened)
    except OSError:
        return ""


def _is_read(name: str) -> bool:
    """Whether a trainer may read a file of that name."""
    return name in TEXT_FILES or not is_litter(name)


def _target(files: UserFiles, link: Path) -> str:
    """Where a link leads inside the project, or why it is not followed."""
    try:
        return f"-> {os.path.relpath(files.find(link).real, files.find(files.project_dir).real)}"
    except RefusedFileError as refused:
        return f"-> {refused.reason}"
