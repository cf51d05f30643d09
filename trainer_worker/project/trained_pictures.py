"""What the folder's last model was trained on, so that a check and the next task can say what is new since.

projectDir/.tfmodel/last/pictures.checkpoint
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import TaskId
from protocol.data_report import Finding, Severity, finding
from protocol.project_layout import LAST
from protocol.text import as_utf8
from trainer_worker.layouts.layout import ClassLayout, Drawing, Mask, MaskFile, MaskLayout, ObjectMasks
from trainer_worker.layouts.tree import Tree
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import Sha256

_NAME = "pictures"
#: Pictures that may only have been moved are hashed, up to this many. Beyond it they count as removed and added.
MOST_HASHED = 500
#: With fewer new pictures than this share, a training again gains little.
WORTHWHILE_SHARE = 0.02
MAX_ANSWER_CHARS = 8192

_Size = Annotated[int, Meta(ge=0, le=2**62)]
_Answer = Annotated[str, Meta(max_length=MAX_ANSWER_CHARS)]


class SeenPicture(msgspec.Struct, frozen=True, array_like=True):
    """size_bytes: of the file. answer: its class, or what its mask is made of (see answers_of)."""

    size_bytes: _Size
    answer: _Answer


class _Trained(msgspec.Struct, frozen=True, array_like=True):
    seen: SeenPicture
    content: Sha256


class TrainedPictures(msgspec.Struct, frozen=True):
    """pictures: by path, relative to the project."""

    task_id: TaskId
    train_type: Annotated[str, Meta(max_length=80)]
    pictures: dict[Annotated[str, Meta(max_length=4096)], _Trained]


@dataclass(frozen=True)
class News:
    """Paths of what has changed since the last model."""

    added: list[str]
    removed: list[str]
    relabelled: list[str]


def seen_pictures(tree: Tree, layout: ClassLayout | MaskLayout) -> dict[str, SeenPicture]:
    """The pictures of a recognised folder by path. Names that are not UTF-8 are left out, as JSON can't hold them."""
    sizes = tree.files
    if isinstance(layout, ClassLayout):
        answers = {picture.path: picture.label for picture in layout.pictures}
    else:
        answers = {picture.path: _of_mask(picture.mask, sizes) for picture in layout.pictures}
    return {
        path: SeenPicture(sizes.get(path, 0), as_utf8(answer)[:MAX_ANSWER_CHARS])
        for path, answer in answers.items()
        if as_utf8(path) == path
    }


def _of_mask(mask: Mask, sizes: Mapping[str, int]) -> str:
    """A text that changes with the mask: names and sizes of its files, or a hash of its outlines."""
    if isinstance(mask, MaskFile):
        return f"{mask.path} {sizes.get(mask.path, 0)}"
    if isinstance(mask, ObjectMasks):
        named = [f"{path} {sizes.get(path, 0)} {name}" for path, name in mask.files]
        return hashlib.sha256("\n".join(named).encode("utf-8", "surrogateescape")).hexdigest()
    assert isinstance(mask, Drawing)
    return hashlib.sha256(repr(mask.objects).encode("utf-8", "surrogateescape")).hexdigest()


def remember_pictures(
    project: ProjectFolder, made: tuple[str, str], seen: Mapping[str, SeenPicture], contents: Mapping[str, str]
) -> None:
    """Keep what a finished training was given. made: taskId and trainType. contents: SHA-256 by path."""
    pictures = {path: _Trained(picture, contents[path]) for path, picture in seen.items() if contents.get(path)}
    Checkpoints(project, LAST).save(_NAME, TrainedPictures(*made, pictures), [])


def recall_pictures(project: ProjectFolder, train_type: str) -> TrainedPictures | None:
    """What the last model of that trainType was trained on; None where that is unknown."""
    loaded = Checkpoints(project, LAST).load(_NAME, TrainedPictures, [])
    return loaded[0] if loaded is not None and loaded[0].train_type == train_type else None


def what_is_new(
    before: TrainedPictures,
    now: Mapping[str, SeenPicture],
    hash_files: Callable[[Sequence[str]], Sequence[str]],
    contents: Mapping[str, str] = MappingProxyType({}),
) -> News:
    """Compare by content. hash_files: from paths to the SHA-256 of each file. contents: those that are known.

    Where the content of a file is not known, one of the same path and size counts as the same. A file in a new place is
    hashed if one of its size has gone, since it may be the same picture.
    """

    def is_same(path: str) -> bool:
        if path not in before.pictures:
            return False
        if path in contents:
            return before.pictures[path].content == contents[path]
        return _size(before, path) == now[path].size_bytes

    same = set(filter(is_same, now))
    gone = {path for path in before.pictures if path not in same}
    gone_sizes = {_size(before, path) for path in gone}
    moved = [path for path, seen in now.items() if path not in same and seen.size_bytes in gone_sizes][:MOST_HASHED]
    by_content: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(gone):
        by_content[before.pictures[path].content].append(path)
    origin = {path: path for path in same}
    for path, content in zip(moved, hash_files(moved), strict=True):
        if by_content.get(content):
            origin[path] = by_content[content].pop()
    relabelled = [path for path, old in origin.items() if before.pictures[old].seen.answer != now[path].answer]
    return News(
        added=sorted(now.keys() - origin.keys()),
        removed=sorted(before.pictures.keys() - set(origin.values())),
        relabelled=sorted(relabelled),
    )


def _size(before: TrainedPictures, path: str) -> int:
    return before.pictures[path].seen.size_bytes


def news_finding(before: TrainedPictures, news: News) -> Finding:
    """What has changed, and whether to train again."""
    changed = [*news.added, *news.relabelled, *news.removed]
    sentence = (
        f"Since the last model (task {before.task_id}), {len(news.added)} pictures were added, {len(news.removed)} "
        f"were removed, and {len(news.relabelled)} have another class or mask."
    )
    if not changed:
        advice = "Nothing has changed, so a training would only repeat that model."
    elif news.removed or news.relabelled:
        advice = "Train again, so that the model no longer rests on what was removed or changed."
    elif len(news.added) < WORTHWHILE_SHARE * len(before.pictures):
        advice = "So few new pictures change little. Train again when there are more, or if they show something new."
    else:
        advice = "Training again is worthwhile."
    return finding("new_since_last_model", Severity.INFO, sentence, advice, changed)
