"""Findings about the names of classes: those that don't sound like a class, and those that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence, Set

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.part_names import SET_ASIDE_WORDS

#: Names that programs propose, or that people give to what they have not sorted yet or have sorted out. In lower case,
#: with blanks between the words.
_NO_CLASS_NAMES = SET_ASIDE_WORDS | {
    "unsorted", "to sort", "todo", "to do", "to label", "backup", "tmp", "temp", "new folder",
    "untitled folder", "neuer ordner", "nouveau dossier", "nueva carpeta", "nuova cartella", "no label", "nolabel",
    "no labels", "no class", "not labeled", "not labelled", "unannotated", "undefined", "ungraded", "unclassified",
    "unlabeled data", "papierkorb", "screenshots",
    "screenshot", "camera roll", "download", "downloads", "dcim", "whatsapp images", "thumbnails", "thumbs",
    "thumbnail", "augmented", "resized", "cropped", "nan", "null", "n/a", "na n", "?", "-",
}  # fmt: skip
#: Names that are a class in some sets, and in others stand for missing labels or for where pictures come from.
_PERHAPS_NO_CLASS = frozenset({
    "other", "others", "misc", "miscellaneous", "unknown", "none", "default", "new", "camera", "original", "originals",
    "review", "archive", "deleted", "discarded", "duplicates",
})  # fmt: skip
#: Names of folders for a piece of a set (`images_001`), the photos of a day or a year, or those of a camera
#: (`100APPLE`).
_PIECE_OF_SET = re.compile(
    r"(?:.*[\W_])?(?:part|batch|chunk|shard|image|img|photo|folder|ordner)s?[\W_]*\d+"
    r"|(?:19|20)\d\d[-_. ]?(?:0[1-9]|1[0-2])[-_. ]?(?:0[1-9]|[12]\d|3[01])"
    r"|(?:(?:photos|fotos) (?:from|von|de|del) )?(?:19|20)\d\d(?:[-_.](?:0[1-9]|1[0-2]))?"
    r"|(?-i:[1-9]\d\d[A-Z_][A-Z\d_]{4})",
    re.IGNORECASE,
)
#: Names that systems and people give to copies and versions of a folder: `cat (1)`, `cat - Copy (2)`, `Copy of cat`,
#: `cat_old`, `cat_resized`, `cat2`.
_COPY_BEFORE = re.compile(r"^(?:copy of|kopie von|copie de|copia de|copia di|old|new|alte?|neue?)[ _-]")
#: No digit that follows another one: of the banknotes 100 and 1000 none is a copy.
_COPY_BEHIND = re.compile(
    r"(?P<of>.+?)"
    r"(?:[\s._-]+\(?(?:copy|kopie|copie|copia|のコピー|old|new|bak|backup|orig|original|resized|augmented|aug|cropped)\)?"
    r"(?: \d+)?)?(?:\s*\(\d+\)|(?<=\w\w[^\W\d])[_-]?\d{1,2})?"
)
#: Names that hold the name of a part: `hotdog_test`, `trainA`.
_OF_PART = re.compile(
    r"(?P<part>train|val|valid|test)(?:[\W_]+|(?=[A-Z\d]))(?P<rest>.+)"
    r"|(?P<rest_before>.+)[\W_](?P<part_after>train|val|valid|test)"
)
#: What to do with classes that are none, with pictures of no class, and if no class is one.
CURES_OF_FOLDERS = (
    "If they are none, move them out of the project, or their pictures into the folders of their classes.",
    "Move pictures that have no class out of the project, and others into the folders of their classes.",
    "If they are none, make one folder for each class. Or put all pictures into one folder, and list them in "
    "labels.csv, with the columns file and label.",
)
CURES_OF_LISTS = (
    "If they are none, delete their rows, or write the class of each picture into them.",
    "Delete the rows of pictures that have no class, or write their class into them.",
    "If they are none, write the class of each picture into the list.",
)
_SEPARATORS = re.compile(r"[\s_.-]+")
#: Not at the ends: -1 and 1 are two classes, as are A and A-.
_BETWEEN_WORDS = re.compile(r"(?<=[^\W_])[\s_.-]+(?=[^\W_])")
#: Longer ones are sentences, and would take long to look at.
_LONGEST_NAME = 200
#: Accents of Latin, Greek and Cyrillic letters. The signs of other scripts make other words.
_ACCENTS = re.compile("[\u0300-\u036f]")
_LEAST_WORD_WITH_PLURAL = 4


def doubtful_names(labels: Set[str], cures: tuple[str, str, str]) -> list[Finding]:
    """Classes whose names don't sound like a class. They are classes all the same.

    cures: CURES_OF_FOLDERS or CURES_OF_LISTS.
    """
    cure, cure_of_rest, cure_of_pieces = cures
    pieces = sorted(labels) if all(map(_PIECE_OF_SET.fullmatch, labels)) else []
    doubtful = {label for label in labels if _words_of(label) in _NO_CLASS_NAMES}
    doubtful |= _copies(labels) | _of_parts(labels)
    rest = sorted({label for label in labels if _words_of(label) in _PERHAPS_NO_CLASS} - doubtful)
    findings = []
    if doubtful:
        sentence = f"Names that don't sound like a class are classes all the same: {some_of(sorted(doubtful))}."
        findings.append(finding("doubtful_classes", Severity.WARNING, sentence, cure))
    if rest:
        sentence = f"The model learns {some_of(rest)} as a class like any other, from what its pictures show."
        findings.append(finding("doubtful_classes", Severity.INFO, sentence, cure_of_rest))
    if len(pieces) > 1:
        sentence = (
            "All classes are called like pieces of a set, days, months, years or cameras, and are classes all the "
            f"same: {some_of(pieces)}."
        )
        findings.append(finding("doubtful_classes", Severity.WARNING, sentence, cure_of_pieces))
    return findings


def alike_classes(labels: Sequence[str], how_to_join: str) -> list[Finding]:
    """Classes whose names look alike. Single letters (a and A) are no warning, since many sets tell them apart.

    how_to_join: what makes them one class, in the imperative.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        alike[alike_form(label)].append(label)
    for form in sorted(alike, key=len):  # roses beside rose
        if len(form) >= _LEAST_WORD_WITH_PLURAL and f"{form}s" in alike:
            alike[form] += alike.pop(f"{form}s")
    alike_names = [found for found in alike.values() if len(found) > 1]
    if not alike_names:
        return []
    severity = Severity.INFO if all(len(label) == 1 for found in alike_names for label in found) else Severity.WARNING
    pairs = some_of([" and ".join(map(repr, found)) for found in alike_names])
    sentence = (
        "Classes whose names differ only in capitals, accents, a plural s, or in spaces, hyphens, underscores and dots "
        f"are kept apart: {pairs}."
    )
    return [finding("case_twins", severity, sentence, f"If they are one class, {how_to_join}.")]


def alike_form(label: str) -> str:
    """What names that differ only in capitals, accents, and in blanks, hyphens or the like have in common."""
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", label.casefold())))
    return _BETWEEN_WORDS.sub(" ", plain.strip())


def _words_of(label: str) -> str:
    """The words of a name without numbers, such as `new folder` of `New folder (2)`."""
    return _SEPARATORS.sub(" ", label.casefold().strip(" _-.()0123456789")) or label.strip()


def _copies(labels: Set[str]) -> set[str]:
    """The labels that are called like a copy or a version of another one."""
    names = {label: " ".join(label.casefold().split()) for label in labels if len(label) <= _LONGEST_NAME}
    known = set(names.values())
    return {label for label, name in names.items() if not known.isdisjoint(_originals(name))}


def _originals(name: str) -> set[str]:
    """What a name may be a copy or a version of: `old rose` is one of `rose`, `old rose (1)` of either."""
    names = {name, _COPY_BEFORE.sub("", name)}
    return {match["of"] for each in names if (match := _COPY_BEHIND.fullmatch(each))} - {name}


def _of_parts(labels: Set[str]) -> set[str]:
    """The labels that look like a part of another one (`cat_test` beside `cat`), or like parts of one class."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for label in labels:
        if match := _OF_PART.fullmatch(label):
            parts[match["rest"] or match["rest_before"]][match["part"] or match["part_after"]] = label
    return {label for rest, found in parts.items() if len(found) > 1 or rest in labels for label in found.values()}
