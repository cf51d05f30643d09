"""The same folder and options again: the model that was made of them is taken over (no TensorFlow).

A model carries the fingerprint of everything it depends on. A task with the same fingerprint gets a copy of it, after
every file of it has been compared with the hash in its manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from trainer_worker.artifacts import MANIFEST, ModelFolder, file_sha256, finished_models, read_manifest
from trainer_worker.data.contents import content_hashes
from trainer_worker.data.user_files import UserFiles

#: Raised when the same folder and options would give another model than before.
TRAINERS_VERSION = 5
_NOT_INPUT = "models"
#: These say when a task is trained and for how long: only whole trainings are taken over.
_OPTIONS_WITHOUT_INFLUENCE = frozenset({"priority", "maxSeconds"})


def fingerprint(project_dir: Path, train_type: str, options: dict[str, Any], weights_file: Path | None = None) -> str:
    """Of names and contents of all files of the project, trainType, options, weights and trainers; "" if some can't be
    read. weights_file: see Job."""
    files, links = _input_files(project_dir)
    hashes = content_hashes(UserFiles(project_dir), files)
    weights = content_hashes(UserFiles(Path("/")), [weights_file] if weights_file else [])
    if not all([*hashes, *weights]):
        return ""
    contents = dict(zip(files, hashes, strict=True)) | {link: f"-> {link.readlink()}" for link in links}
    named = sorted((os.fsencode(path.relative_to(project_dir)).hex(), content) for path, content in contents.items())
    options = {name: value for name, value in options.items() if name not in _OPTIONS_WITHOUT_INFLUENCE}
    facts = [TRAINERS_VERSION, train_type, sorted(options.items()), named, weights]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def find_twin(project_dir: Path, mark: str) -> Path | None:
    """The newest finished model with that fingerprint whose files are all as they were written."""
    for folder in finished_models(project_dir / "models") if mark else ():
        manifest = read_manifest(folder) or {}
        if manifest.get("fingerprint") == mark and not manifest.get("stopped_early") and _is_intact(folder, manifest):
            return folder
    return None


def take_over(twin: Path, project_dir: Path, task_id: str, attempt: int) -> Path:
    """Publish a copy of `twin` as this task's model; returns its folder. Raises as ModelFolder does."""
    began_s = time.perf_counter()
    with ModelFolder(project_dir, task_id, attempt) as folder:
        shutil.copytree(twin, folder.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
        manifest = read_manifest(twin) or {}
        seconds = {"take_over": round(time.perf_counter() - began_s, 3)}
        changes = {"task_id": task_id, "attempt": attempt, "taken_over_from": twin.name, "stage_seconds": seconds}
        return folder.publish({**manifest, **changes})


def _input_files(project_dir: Path) -> tuple[list[Path], list[Path]]:
    """Files and links, without models and what is hidden: no trainer reads those."""
    files, links = [], []
    for root, folders, names in os.walk(project_dir):
        if Path(root) == project_dir and _NOT_INPUT in folders:
            folders.remove(_NOT_INPUT)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(root, name) for name in (*folders, *names) if not name.startswith(".")]
        links += [path for path in paths if path.is_symlink()]
        files += [path for path in paths if path.is_file() and not path.is_symlink()]
    return files, links


def _is_intact(folder: Path, manifest: dict[str, Any]) -> bool:
    try:
        return all(file_sha256(folder / file["path"]) == file["sha256"] for file in manifest["files"])
    except (OSError, KeyError, TypeError):
        return False
