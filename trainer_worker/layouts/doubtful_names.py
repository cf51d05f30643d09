"""Findings about the names of classes: those that don't sound like a class, and those that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence, Set

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.copied_names import copies, originals_of, parts_of_classes
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.part_names import PART_WORDS, SET_ASIDE_WORDS

#: Names that programs propose, or that people give to what they have not sorted yet or have sorted out. In lower case,
#: with blanks between the words.
_NO_CLASS_NAMES = SET_ASIDE_WORDS | {
    "unsorted", "to sort", "todo", "to do", "to label", "backup", "tmp", "temp", "new folder",
    "untitled folder", "neuer ordner", "nouveau dossier", "nueva carpeta", "nuova cartella", "nova pasta",
    "nieuwe map", "nowy folder", "yeni klasör", "ny mapp", "ny mappe", "nová složka", "новая папка", "新建文件夹",
    "未命名文件夹", "新增資料夾", "新しいフォルダー", "新規フォルダ", "새 폴더", "مجلد جديد",
    "unsortiert", "zu sortieren", "à trier", "non classé", "sin clasificar", "da ordinare", "не отсортировано",
    "未分类", "未分類", "not sorted", "no label", "nolabel",
    "no labels", "no class", "not labeled", "not labelled", "unannotated", "undefined", "ungraded", "unclassified",
    "unlabeled data", "papierkorb", "screenshots",
    "screenshot", "camera roll", "download", "downloads", "dcim", "whatsapp images", "thumbnails", "thumbs",
    "thumbnail", "augmented", "resized", "cropped", "nan", "null", "n/a", "na n", "#n/a", "<na>", "#ref!",
    "?", "??", "???", "-", "''", '""', "tbd", "skip", "skipped", "ignore", "ignored", "unsure", "not sure", "unclear",
    "eval", "evaluation", "dev", "holdout", "hold out", "validierung",
}  # fmt: skip
#: Names that are a class in some sets, and in others stand for missing labels or for where pictures come from.
_PERHAPS_NO_CLASS = frozenset({
    "missing", "uncertain", "other", "others", "misc", "miscellaneous", "unknown", "none", "default", "new",
    "camera", "original", "originals", "review", "archive", "deleted", "discarded", "duplicates", "output",
    "outputs", "results", "heatmaps", "photos", "pictures", "img", "imgs", "data", "dataset",
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
_QUOTED = re.compile(r"^(['\"])(.+)\1$")
#: Accents of Latin, Greek and Cyrillic letters. The signs of other scripts make other words.
_ACCENTS = re.compile("[\u0300-\u036f]")
_LEAST_WORD_WITH_PLURAL = 4


def doubtful_names(labels: Set[str], cures: tuple[str, str, str]) -> list[Finding]:
    """Classes whose names don't sound like a class. They are classes all the same.

    cures: CURES_OF_FOLDERS or CURES_OF_LISTS.
    """
    cure, cure_of_rest, cure_of_pieces = cures
    pieces = sorted(label for label in labels if _PIECE_OF_SET.fullmatch(label))
    pieces = pieces if len(pieces) > max(1, len(labels) // 2) else []
    originals = originals_of(labels)
    doubtful = (copies(originals) | parts_of_classes(labels)) - {*pieces}
    doubtful |= {label for label, names in originals.items() if not _NO_CLASS_NAMES.isdisjoint(map(_words_of, names))}
    doubtful |= {label for label in labels if _words_of(label) in _NO_CLASS_NAMES}
    if len(labels) > 1 and {label.casefold() for label in labels} <= PART_WORDS.keys():
        doubtful = {*labels}
    rest = sorted({label for label in labels if _words_of(label) in _PERHAPS_NO_CLASS} - doubtful)
    findings = []
    if doubtful:
        sentence = f"Names that don't sound like a class are classes all the same: {some_of(sorted(doubtful))}."
        findings.append(finding("doubtful_classes", Severity.WARNING, sentence, cure))
    if rest:
        sentence = f"The model learns {some_of(rest)} as a class like any other, from what its pictures show."
        findings.append(finding("doubtful_classes", Severity.INFO, sentence, cure_of_rest))
    if pieces:
        sentence = (
            f"{'All' if len(pieces) == len(labels) else 'Most'} classes are called like pieces of a set, days, months, "
            f"years or cameras, and are classes all the same: {some_of(pieces)}."
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
        "Classes whose names differ only in capitals, accents, a plural s, or in spaces, hyphens, underscores, dots "
        f"and quotes are kept apart: {pairs}."
    )
    return [finding("case_twins", severity, sentence, f"If they are one class, {how_to_join}.")]


def alike_form(label: str) -> str:
    """What names that differ only in capitals, accents, quotes, and in blanks, hyphens or the like have in common."""
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", label.casefold())))
    return _BETWEEN_WORDS.sub(" ", _QUOTED.sub(r"\2", plain.strip().rstrip(".") or plain.strip()))


def _words_of(label: str) -> str:
    """The words of a name without numbers, such as `new folder` of `New folder (2)`."""
    return _SEPARATORS.sub(" ", label.casefold().strip(" _-.()0123456789")) or label.strip()
