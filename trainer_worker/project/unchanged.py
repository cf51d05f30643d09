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
import posixpath
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from protocol.end_reason import EndReason
from protocol.litter import LABEL_SUFFIXES, may_be_picture, suffix_of
from protocol.options import WITHOUT_INFLUENCE
from trainer_worker.layouts.tree import Tree, walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.gate import Gate
from trainer_worker.project.held_out import read_held_out
from trainer_worker.project.manifest import Manifest
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import finished_models, open_listed
from trainer_worker.project.origin import Tell, nothing

#: Increase this when the same folder and options would give another model than before.
TRAINERS_VERSION = 13

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderContents:
    """The names in a project, and the SHA-256 of each file that a trainer may read; "" for one that can't be read."""

    tree: Tree
    hashes: dict[str, str]


def read_contents(files: UserFiles, on_step: Callable[[float], None] = lambda fraction: None) -> FolderContents:
    """Hash the files of a project. on_step: often called with the finished fraction; its exception ends the hashing."""
    tree = walk(files, lambda: on_step(0.0))
    read = [path for path in tree.files if is_read(path)]
    hashes = content_hashes(files, [files.project_dir / path for path in read], on_step)
    return FolderContents(tree, dict(zip(read, hashes, strict=True)))


def fingerprint(folder: FolderContents, train_type: str, options: dict[str, Any], weights_sha256: str = "") -> str:
    """A hash of names and contents of all files that trainers read, trainType, options, weights and TRAINERS_VERSION.

    "" if a file can't be read or is too large; such a folder is never taken for unchanged. weights_sha256: that
    of Job.weights, or "".
    """
    unread = [path for path, content in folder.hashes.items() if not content]
    if unread:
        log.info("action=task.not_compared files=%d first=%r", len(unread), unread[0])
        return ""
    contents = {**folder.hashes, **{skip.file: skip.reason for skip in folder.tree.skipped}}
    named = sorted((os.fsencode(path).hex(), content) for path, content in contents.items())
    options = {name: value for name, value in options.items() if name not in WITHOUT_INFLUENCE}
    facts = [TRAINERS_VERSION, train_type, sorted(options.items()), named, weights_sha256]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def take_over(gate: Gate, mark: str, task_id: str, attempt: int, tell: Tell = nothing) -> Manifest | None:
    """Publish a copy of the newest finished model with the fingerprint `mark` as this task's; None if there is none.

    gate: of the project. Another model may be in use by now, so the copy is compared like a new one.
    A model whose files differ from its manifest is skipped. tell: called often; an exception from it ends the work.
    Raises what ModelFolder raises.
    """
    if not mark:
        return None
    with contextlib.suppress(OSError), gate.project.models() as models:
        for model in finished_models(models, tell):
            earlier = model.manifest
            if earlier.fingerprint == mark and earlier.end_reason is not EndReason.STOPPED:
                copy = _copy(gate, earlier, task_id, attempt, tell)
                if copy is not None:
                    return copy
    return None


def _copy(gate: Gate, earlier: Manifest, task_id: str, attempt: int, tell: Tell) -> Manifest | None:
    began_s = time.perf_counter()
    with ModelFolder(gate.project, task_id, attempt) as copy:
        try:
            gate.project.origin.bring_model(earlier.task_id, tell)
            with gate.project.models() as models, models.folder(earlier.task_id) as source:
                for file in earlier.files:
                    with open_listed(source, file) as content:
                        if copy.add(file.path, content, tell) != file:
                            raise FileNotFoundError(f"{file.path} has changed since it was written")
                comparison = gate.compare(read_held_out(source, earlier))
        except OSError as error:
            log.warning("action=model.not_taken_over from=%s reason=%r", earlier.task_id, str(error))
            return None
        seconds = {"take_over": round(time.perf_counter() - began_s, 3)}
        promoted = comparison is None or comparison.promoted
        changes = {
            **{"task_id": task_id, "attempt": attempt, "taken_over_from": earlier.task_id, "stage_seconds": seconds},
            **{"promoted": promoted, "comparison": msgspec.to_builtins(comparison)},
        }
        copy.publish({**earlier.content, **changes}, tell)
    return msgspec.structs.replace(
        earlier,
        task_id=task_id,
        taken_over_from=earlier.task_id,
        stage_seconds=seconds,
        promoted=promoted,
        comparison=comparison,
        folder=copy.publication,
        itself=copy.manifest,
    )


def is_read(path: str) -> bool:
    """Whether a trainer may read a file of that name: as a picture, or for the labels of pictures."""
    return may_be_picture(posixpath.basename(path)) or suffix_of(path) in LABEL_SUFFIXES
