"""Which pictures belong together, so that no two of them stand on both sides of a split, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from protocol.data_report import Finding, Severity, finding
from trainer_worker.pictures.contents import content_groups
from trainer_worker.pictures.likeness import look_alikes
from trainer_worker.pictures.series import series_pairs
from trainer_worker.pictures.splits import Split, conflicts

#: From this share of copies on, the owner is warned, because there are clearly fewer pictures than it seems.
MANY_COPIES = 0.1
#: So many groups of each sort are shown to a person, and so many files of each.
MOST_SHOWN_GROUPS, MOST_SHOWN_FILES = 3, 4

Groups = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """Groups of pictures, each as a number for each picture, int64 (n,).

    same_bytes: files of one content. same_look: those and pictures that look the same. together: those and series of
    one object. Each is coarser than the one before. names: of the pictures, relative to the project.
    """

    names: Sequence[str]
    same_bytes: Groups
    same_look: Groups
    together: Groups


def find_copies(names: Sequence[str], contents: Sequence[str], thumbnails: npt.NDArray[np.uint8]) -> Copies:
    """Group the pictures. contents: SHA-256 of each file. thumbnails: uint8 (n, 16, 16, 3), see likeness.thumbnail."""
    same_bytes = content_groups(contents)
    same_look = _joined(same_bytes, look_alikes(thumbnails))
    return Copies(names, same_bytes, same_look, _joined(same_look, series_pairs(names, thumbnails)))


def _joined(groups: Groups, pairs: npt.NDArray[np.int64]) -> Groups:
    """The groups, joined where a pair of rows connects two of them."""
    if not len(pairs):
        return groups
    count = int(groups.max()) + 1
    links = coo_array((np.ones(len(pairs), np.int8), (groups[pairs[:, 0]], groups[pairs[:, 1]])), (count, count))
    _, joined = connected_components(links, directed=False)
    regrouped: Groups = joined.astype(np.int64)[groups]
    return regrouped


def copies_findings(copies: Copies, classes: npt.NDArray[np.int64] | None = None) -> list[Finding]:
    """What the owner should know of copies and series. classes: int64 (n,), None where pictures have none."""
    found = []
    if classes is not None:
        found += _in_several_classes(copies, classes)
    exact, alike = _repeated(copies.same_bytes), _repeated(copies.same_look)
    near = sorted(set(alike) - set(exact))
    if exact:
        found.append(_of_copies("duplicates_exact", "are byte-for-byte copies of others", exact, copies.names))
    if near:
        found.append(_of_copies("duplicates_near", "look the same as others, saved or scaled anew", near, copies.names))
    series = sorted(set(_repeated(copies.together)) - set(alike))
    if series:
        found.append(
            finding(
                "series",
                Severity.INFO,
                f"{len(series)} pictures continue a series of one object, by their names and their look. A series is "
                "used either for training or for scoring, never for both.",
                "",
                [copies.names[row] for row in series],
            )
        )
    return found


def copy_groups(copies: Copies) -> list[dict[str, Any]]:
    """The largest groups of pictures that belong together, for people to look at. code: of the finding about them.

    count: how many pictures a group has; files: the first of them. Of copies of one file, the coarser groups hold one.
    """
    each = np.arange(len(copies.names))
    return [
        {"code": code, "count": len(rows), "files": [copies.names[row] for row in rows[:MOST_SHOWN_FILES]]}
        for code, finer, groups in (
            ("duplicates_exact", each, copies.same_bytes),
            ("duplicates_near", copies.same_bytes, copies.same_look),
            ("series", copies.same_look, copies.together),
        )
        for rows in _largest(groups, finer)
    ]


def _largest(groups: Groups, finer: Groups) -> list[list[int]]:
    """The rows of the largest groups, of each finer group only the first row. Groups of one are none."""
    _, first = np.unique(finer, return_index=True)
    first = np.sort(first)
    _, group_of, sizes = np.unique(groups[first], return_inverse=True, return_counts=True)
    largest = [number for number in np.argsort(-sizes, kind="stable")[:MOST_SHOWN_GROUPS] if sizes[number] > 1]
    return [first[group_of == number].tolist() for number in largest]


def _of_copies(code: str, are: str, rows: Sequence[int], names: Sequence[str]) -> Finding:
    severity = Severity.WARNING if len(rows) >= MANY_COPIES * len(names) else Severity.INFO
    return finding(
        code,
        severity,
        f"{len(rows)} of {len(names)} pictures {are}. All copies of a picture stand on one side of the split, so they "
        "don't raise the score.",
        "Copies teach the model nothing new. Replace them with other pictures.",
        [names[row] for row in rows],
    )


def _repeated(groups: Groups) -> list[int]:
    """The rows that are not the first of their group."""
    _, first = np.unique(groups, return_index=True)
    repeated: list[int] = np.setdiff1d(np.arange(len(groups)), first).tolist()
    return repeated


def _in_several_classes(copies: Copies, classes: npt.NDArray[np.int64]) -> list[Finding]:
    rows = [row for group in conflicts(copies.same_look, classes) for row in group.tolist()]
    if not rows:
        return []
    return [
        finding(
            "same_picture_in_classes",
            Severity.WARNING,
            f"{len(rows)} pictures stand in one class and, the same or nearly so, in another one as well. They train "
            "the model to be unsure, and they don't score it.",
            "Keep each of them in its right class only.",
            [copies.names[row] for row in rows],
        )
    ]


def grouping_findings(copies: Copies, alone: Split) -> list[Finding]:
    """What keeping copies and series together did to the score. alone: a split that would not have done so."""
    leaking = leaks(copies.together, alone)
    if not leaking:
        return []
    return [
        finding(
            "grouped_split",
            Severity.INFO,
            f"Copies and series were kept on one side of the split. Otherwise {len(leaking)} of {len(alone.held_out)} "
            "held-out pictures would have had one like themselves in the training set, and the score would have been "
            "too high.",
            "",
            [copies.names[row] for row in leaking],
        )
    ]


def given_split_findings(copies: Copies, given: tuple[Groups, Groups], split: Split) -> list[Finding]:
    """What is wrong with the caller's own split. given: the rows that train and that score, as the caller has them."""
    found = []
    lost = sorted({*given[0].tolist(), *given[1].tolist()} - {*split.train.tolist(), *split.held_out.tolist()})
    if lost:
        found.append(
            finding(
                "callers_split_leaks",
                Severity.WARNING,
                f"{len(lost)} pictures stand, the same or nearly so, in both parts of the folder's own split. They "
                "were left out of one of them, because a picture that trains can't score.",
                "Keep each picture in one part only.",
                [copies.names[row] for row in lost],
            )
        )
    series = leaks(copies.together, split)
    if series:
        found.append(
            finding(
                "callers_split_series",
                Severity.WARNING,
                f"{len(series)} of {len(split.held_out)} pictures that score belong to a series that trains as well, "
                "so the score is too high.",
                "Put all pictures of a series into the same part.",
                [copies.names[row] for row in series],
            )
        )
    return found


def leaks(groups: Groups, split: Split) -> list[int]:
    """The held-out rows that have another picture of their group in the training set."""
    leaking: list[int] = split.held_out[np.isin(groups[split.held_out], groups[split.train])].tolist()
    return leaking
