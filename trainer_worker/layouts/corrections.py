"""Applies corrections.csv to a recognised layout: pictures that a person has left out, moved to another class, or kept.

The file is set aside before the recognisers see the tree, so that none of them takes it for a list of labels. What it
says is applied to what they return. No layout needs to know of it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocol.bounds import shortened
from protocol.corrections import (
    CORRECTIONS_FILE,
    MOST_CORRECTIONS_BYTES,
    Action,
    Correction,
    CorrectionsError,
    CorrectionsTable,
    spellings,
)
from protocol.data_report import Finding, Severity, finding
from protocol.litter import may_be_picture
from protocol.text import as_utf8, printable
from trainer_worker.layouts.layout import LabelledFile, MaskedFile, MaskLayout, Part, UnusedFile
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.picture_index import name_of
from trainer_worker.layouts.tree import Tree, comparable
from trainer_worker.pictures.user_files import RefusedFileError

LEFT_OUT = f"{CORRECTIONS_FILE} leaves it out"
_MOST_EXPLAINED = 5
#: A sentence about several pictures holds this much of each name.
_MOST_CHARS_OF_NAME = 100


class _Said(NamedTuple):
    line: int
    correction: Correction


@dataclass(frozen=True)
class CorrectedClasses:
    """Pictures with their classes, after corrections.

    excluded: paths that a row leaves out. looked_at: paths of pictures whose label a person has given or confirmed.
    emptied: classes that have lost all their pictures. sentence: what was changed; "" if nothing was.
    """

    pictures: tuple[LabelledFile, ...]
    excluded: tuple[str, ...] = ()
    looked_at: frozenset[str] = frozenset()
    emptied: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    sentence: str = ""


@dataclass(frozen=True)
class Corrections:
    """What the file says of the pictures of one project.

    said: the row that counts for each picture, by its path. problems: why rows are not used, each as the end of a
    sentence. findings: about the file itself.
    """

    said: Mapping[str, _Said] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def decided(self) -> frozenset[str]:
        """Pictures whose class, or that they have none, comes from here."""
        return frozenset(path for path, said in self.said.items() if said.correction.action is not Action.KEEP)

    def of_classes(self, pictures: Sequence[LabelledFile], empty: Collection[str]) -> CorrectedClasses:
        """pictures: with the classes that the layout gives them. empty: classes that have no picture so far."""
        if not self.said:
            return CorrectedClasses(tuple(pictures), findings=self._all_findings(_Effect()))
        effect = _Effect()
        rows = {picture.path: picture for picture in pictures}
        labels = _Labels({*(picture.label for picture in pictures), *empty})
        for path, (line, correction) in self.said.items():
            now = rows.get(path)
            label = labels.find(correction.label) if correction.action is Action.LABEL else None
            if correction.action is Action.EXCLUDE:
                rows.pop(path, None)
                effect.excluded.append(path)
            elif correction.action is Action.KEEP and now is None:
                effect.problems.append(f"line {line} keeps {_brief(path)}, which has no class")
            elif correction.action is Action.KEEP:
                effect.kept.append(path)
            elif label is None:
                effect.problems.append(
                    f"line {line} moves {_brief(path)} to {_brief(correction.label)!r}, which is no class"
                )
            else:
                rows[path] = dataclasses.replace(now, label=label) if now else LabelledFile(path, label)
                (effect.kept if now and now.label == label else effect.moved).append(path)
        left = {picture.label for picture in rows.values()}
        emptied = sorted({picture.label for picture in pictures} - left)
        lost = [*_lost_classes(emptied), *_lost_parts(pictures, rows.values())]
        return CorrectedClasses(
            tuple(rows.values()),
            tuple(effect.excluded),
            frozenset([*effect.kept, *effect.moved]),
            tuple(emptied),
            (*self._all_findings(effect), *lost),
            effect.sentence(),
        )

    def of_masks(self, layout: MaskLayout) -> MaskLayout:
        """The layout without the pictures that are left out. Masks have no class that could be changed."""
        effect = _Effect()
        used, unused = {picture.path for picture in layout.pictures}, {file.path for file in layout.unused}
        for path, (line, correction) in self.said.items():
            if correction.action is Action.LABEL:
                effect.problems.append(
                    f"line {line} gives {_brief(path)} a class, but a picture with a mask has none; correct its mask, "
                    "or exclude it"
                )
            elif path not in used and path not in unused:
                effect.problems.append(f"line {line} names {_brief(path)}, which is no picture with a mask")
            elif path in used:
                (effect.excluded if correction.action is Action.EXCLUDE else effect.kept).append(path)
        gone = set(effect.excluded)
        pictures = tuple(picture for picture in layout.pictures if picture.path not in gone)
        return dataclasses.replace(
            layout,
            pictures=pictures,
            unused=(*layout.unused, *(UnusedFile(path, LEFT_OUT) for path in effect.excluded)),
            findings=(*layout.findings, *self._all_findings(effect), *_lost_parts(layout.pictures, pictures)),
        )

    def _all_findings(self, effect: _Effect) -> tuple[Finding, ...]:
        found = list(self.findings)
        if done := effect.sentence():
            found.append(finding("corrections", Severity.INFO, done, "", [*effect.excluded, *effect.moved]))
        if problems := [*self.problems, *effect.problems]:
            found.append(
                finding(
                    "corrections_not_used",
                    Severity.WARNING,
                    f"Rows of {CORRECTIONS_FILE} that are not used: {len(problems)}. "
                    f"Here is why: {some_of(problems, '; ', _MOST_EXPLAINED)}.",
                    "Name pictures by their path in the project, and classes as they are called there, or delete the "
                    "rows.",
                )
            )
        return tuple(found)


@dataclass
class _Effect:
    """Paths of what rows have changed or confirmed, and the problems with rows that could not be applied."""

    excluded: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        parts = [
            *([f"leaves out {_pictures(self.excluded)}"] if self.excluded else []),
            *([f"moves {_pictures(self.moved)} to another class"] if self.moved else []),
            *([f"confirms {_pictures(self.kept)}"] if self.kept else []),
        ]
        words = " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])
        return f"{CORRECTIONS_FILE} {words}." if words else ""


class _Labels:
    """Finds a class by what a person calls it. Capitals don't matter where that is unambiguous."""

    def __init__(self, labels: Collection[str]) -> None:
        self._labels = {comparable(label): label for label in labels}
        self._folded: dict[str, list[str]] = defaultdict(list)
        for label in labels:
            self._folded[comparable(label).casefold()].append(label)

    def find(self, said: str) -> str | None:
        for text in (comparable(said), comparable(said.strip())):
            if text in self._labels:
                return self._labels[text]
        alike = self._folded.get(comparable(said.strip()).casefold(), [])
        return alike[0] if len(alike) == 1 else None


class _Pictures:
    """Finds a picture by its path, in the form in which it is stored or shown. The path only chooses among these."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = frozenset(paths)
        self._alike: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            for name in _shown(path):
                self._alike[name].append(path)

    def find(self, said: str) -> list[str]:
        """One path, none, or several that are spelled alike."""
        texts = spellings(said)
        exact = [text for text in texts if text in self._paths]
        return exact[:1] or next((self._alike[name] for text in texts if (name := comparable(text)) in self._alike), [])


def _shown(path: str) -> Iterable[str]:
    """The forms of a path in names, findings and metrics.json, which differ for bytes that are not UTF-8."""
    name = comparable(path)
    return [name] if name.isprintable() else dict.fromkeys([name, comparable(printable(path)), as_utf8(name)])


def set_aside_corrections(tree: Tree) -> tuple[Tree, Corrections]:
    """The tree without files of this name, and what the one in the project folder itself says."""
    named = [path for path in tree.files if path[-len(CORRECTIONS_FILE) :].casefold() == CORRECTIONS_FILE]
    named = [path for path in named if name_of(path).casefold() == CORRECTIONS_FILE]
    if not named:
        return tree, Corrections()
    rest = dataclasses.replace(tree, files={path: size for path, size in tree.files.items() if path not in named})
    elsewhere = [path for path in named if path != CORRECTIONS_FILE]
    found = []
    if elsewhere:
        sentence = f"Only {CORRECTIONS_FILE} directly in projectDir is used, and not {some_of(elsewhere)}."
        cure = "Move it there under this very name, and correct the paths in it."
        found.append(finding("corrections_elsewhere", Severity.WARNING, sentence, cure, elsewhere))
    if CORRECTIONS_FILE not in tree.files:
        return rest, Corrections(findings=tuple(found))
    try:
        table = _read(tree)
    except CorrectionsError as error:
        sentence = f"{CORRECTIONS_FILE} is not used: {error}."
        cure = "Correct the file, or delete it."
        found.append(finding("unreadable_corrections", Severity.WARNING, sentence, cure, [CORRECTIONS_FILE]))
        return rest, Corrections(findings=tuple(found))
    return rest, _understood(table, [path for path in rest.files if may_be_picture(name_of(path))], found)


def _read(tree: Tree) -> CorrectionsTable:
    if tree.files[CORRECTIONS_FILE] > MOST_CORRECTIONS_BYTES:
        raise CorrectionsError(f"it is larger than {MOST_CORRECTIONS_BYTES // 1024**2} MB")
    try:
        return CorrectionsTable.read(tree.read_small(CORRECTIONS_FILE) or b"")
    except RefusedFileError as refused:
        raise CorrectionsError(refused.reason) from refused


def _understood(table: CorrectionsTable, paths: Sequence[str], about_file: Sequence[Finding]) -> Corrections:
    """Find the pictures of the rows. paths: of all files that may be pictures."""
    pictures = _Pictures(paths)
    said: dict[str, _Said] = {}
    problems: list[str] = table.problems()
    contradicting: dict[str, str] = {}
    for row in table.rows:
        if row.correction is None:
            continue
        name = row.correction.picture
        found = pictures.find(name)
        if len(found) != 1:
            which = "several pictures have that name" if found else "there is no such picture"
            problems.append(f"line {row.line} names {_brief(name)}, but {which}")
            continue
        earlier = said.pop(found[0], None)
        if earlier and (earlier.correction.action, earlier.correction.label) != (
            row.correction.action,
            row.correction.label,
        ):
            contradicting[found[0]] = f"{_brief(found[0])} (lines {earlier.line} and {row.line})"
        said[found[0]] = _Said(row.line, row.correction)
    findings = list(about_file)
    if contradicting:
        sentence = (
            f"{CORRECTIONS_FILE} says different things about the same picture, and the later row counts: "
            f"{some_of([*contradicting.values()])}."
        )
        cure = "Delete the rows that are wrong."
        findings.append(finding("corrections_contradict", Severity.WARNING, sentence, cure, [*contradicting]))
    return Corrections(said, tuple(problems), tuple(findings))


def _lost_classes(labels: Sequence[str]) -> list[Finding]:
    if not labels:
        return []
    sentence = f"{CORRECTIONS_FILE} leaves no picture in these classes, so they are left out: {some_of(labels)}."
    cure = "If that is not meant, take back its rows about their pictures."
    return [finding("classes_corrected_away", Severity.WARNING, sentence, cure)]


def _lost_parts(
    before: Iterable[LabelledFile | MaskedFile], after: Iterable[LabelledFile | MaskedFile]
) -> list[Finding]:
    left = Counter(picture.part for picture in after)
    lost = [part for part in (Part.VAL, Part.TEST) if not left[part] and any(one.part is part for one in before)]
    if not lost:
        return []
    sentence = (
        f"{CORRECTIONS_FILE} leaves no picture in this part of the split, which so scores nothing: {some_of(lost)}."
    )
    cure = "Take back some of its rows, or put other pictures into that part."
    return [finding("part_corrected_away", Severity.WARNING, sentence, cure)]


def _brief(name: str) -> str:
    return shortened(name, _MOST_CHARS_OF_NAME)


def _pictures(paths: Sequence[str]) -> str:
    return "1 picture" if len(paths) == 1 else f"{len(paths)} pictures"
