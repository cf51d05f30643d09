"""What the objects of a project become on a disk: which are files, which are the worker's own, and which are left out.

The names are a stranger's. What a folder can't hold as it is named is left out and said; nothing is renamed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol.bounds import is_task_id
from protocol.data_report import Finding, Severity, finding
from protocol.litter import is_litter_folder
from protocol.project_layout import KEPT, LAST, LATEST, MANIFEST, MODELS, TASKS
from storage.object_store import ObjectInfo
from trainer_worker.layouts.tree import comparable
from trainer_worker.project.latest import CHOSEN

#: The longest name of a file that Linux takes, in bytes.
MOST_NAME_BYTES = 255


@dataclass(frozen=True)
class ProjectObjects:
    """The objects of a project, sorted by what they are. Keys are paths relative to the project.

    files: those of the user's. folders: folders that exist though no file of the user's lies in them. models: the files
    of each model, by task. links: models/latest and its like. kept: what .tfmodel/ has for any task, except features.
    odd: names that a folder can't hold.
    """

    files: dict[str, ObjectInfo] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    models: dict[str, dict[str, ObjectInfo]] = field(default_factory=dict)
    links: dict[str, ObjectInfo] = field(default_factory=dict)
    kept: dict[str, ObjectInfo] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)

    def findings(self) -> list[Finding]:
        """What is left out, for the report on the folder."""
        if not self.odd:
            return []
        sentence = (
            f"Objects whose names a folder can't hold are left out: {len(self.odd)}. A name is longer than "
            f"{MOST_NAME_BYTES} bytes, or it is a file and a folder at once."
        )
        return [finding("objects_left_out", Severity.WARNING, sentence, "Rename them.", sorted(self.odd))]


def sorted_out(objects: Iterable[ObjectInfo], case_matters: bool = True) -> ProjectObjects:
    """Sort the objects of a project. case_matters: whether the disk tells A.jpg from a.jpg."""
    found = ProjectObjects()
    listed = {info.name: info for info in objects}
    holding = {folder for name in listed for folder in _folders_above(name)}
    for name, info in sorted(listed.items()):
        steps = name.split("/")
        if not _is_plain(steps):
            found.odd.append(name)
        elif steps[0] == MODELS and _is_ours(steps[1:]):
            _add_of_models(found, steps[1:], info)
        elif steps[0] == KEPT:
            # What is a file and a folder at once is not ours. Nothing is said, because nothing of the user's is lost.
            if steps[1:2] in ([LAST], [TASKS]) and name not in holding:
                found.kept[name] = info
        elif litter := _litter_folder(steps):
            found.folders.add(litter)
        elif _marks_folder(info, holding):
            found.folders.add(name)
        elif name in holding:
            found.odd.append(name)
        else:
            found.files[name] = info
    if not case_matters:
        _leave_out(found, _same_but_for_case(found.files))
    return found


def _is_plain(steps: Sequence[str]) -> bool:
    return all(
        step not in ("", ".", "..") and "\0" not in step and len(step.encode()) <= MOST_NAME_BYTES for step in steps
    )


def _is_ours(steps: Sequence[str]) -> bool:
    """Whether the worker has put it into models/. Other folders in there may be a class called models."""
    return bool(steps) and (is_task_id(steps[0]) or steps[0] == LATEST or steps[0].startswith(CHOSEN))


def _add_of_models(found: ProjectObjects, steps: Sequence[str], info: ObjectInfo) -> None:
    if is_task_id(steps[0]):
        if len(steps) > 1:
            found.models.setdefault(steps[0], {})["/".join(steps[1:])] = info
    elif len(steps) == 1:
        found.links[steps[0]] = info


def _marks_folder(info: ObjectInfo, holding: set[str]) -> bool:
    """Whether an empty object stands for a folder. Some programs make one; its slash at the end is cut off by now."""
    last = info.name.rpartition("/")[2]
    return info.size_bytes == 0 and (info.name in holding or "." not in last)


def _litter_folder(steps: Sequence[str]) -> str:
    """The path up to the first folder of a system or a program; "" if there is none. What is in it is never used."""
    for number, step in enumerate(steps[:-1], start=1):
        if is_litter_folder(step):
            return "/".join(steps[:number])
    return ""


def _folders_above(name: str) -> Iterable[str]:
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _same_but_for_case(names: Iterable[str]) -> list[str]:
    """All names but the first of those that such a disk takes for the same."""
    seen: set[str] = set()
    same = []
    for name in names:
        folded = comparable(name).casefold()
        if folded in seen:
            same.append(name)
        seen.add(folded)
    return same


def _leave_out(found: ProjectObjects, names: Iterable[str]) -> None:
    for name in names:
        del found.files[name]
        found.odd.append(name)


def listed_files(model: dict[str, ObjectInfo], folder: str) -> dict[str, ObjectInfo]:
    """The files of one publication of a model, by their paths in the model's folder."""
    start = f"{folder}/" if folder else ""
    return {path[len(start) :]: info for path, info in model.items() if path.startswith(start) and path != MANIFEST}
