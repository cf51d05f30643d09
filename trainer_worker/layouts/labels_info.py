"""labels_info.txt: a header line, then `name,index` lines. It fixes the order of the labels."""

from __future__ import annotations

import csv
import posixpath
import unicodedata
from collections.abc import Mapping, Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.text_files import LABELS_FILE, MAX_TEXT_FILE_BYTES
from trainer_worker.pictures.user_files import RefusedFileError

MOST_INDEX_DIGITS = 6


def label_order(tree: Tree, counts: Mapping[str, int], folders: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """The labels in the order of labels_info.txt, else sorted by name.

    counts: pictures by label; 0 for an empty class folder, which the file may list. folders: where else the file is
    looked for if it doesn't lie in projectDir. Raises TrainingError bad_labels_info.
    """
    path, content = _find(tree, folders)
    used = {label for label, count in counts.items() if count}
    if content is None:
        return sorted(used), []
    labels = _read_labels(content)
    missing = [label for label in labels if label not in counts]
    if missing:
        raise _bad(f"lists {some_of(missing)}, but there is no such class with images")
    unlisted = sorted(used.difference(labels))
    if unlisted:
        raise _bad(f"does not list {some_of(unlisted)}, which {'is a class' if len(unlisted) == 1 else 'are classes'}")
    findings = []
    if path != LABELS_FILE:
        sentence = f"{path} fixes the order of the labels, although it does not lie directly in projectDir."
        findings.append(finding("labels_info_elsewhere", Severity.INFO, sentence, "Move it there.", [path]))
    return [label for label in labels if label in used], findings


def _find(tree: Tree, folders: Sequence[str]) -> tuple[str, bytes | None]:
    content = _read(tree, LABELS_FILE)
    if content is not None:
        return LABELS_FILE, content
    found = [
        path
        for folder in dict.fromkeys(["", *folders])
        for path in tree.files_in(folder)
        if posixpath.basename(path).casefold() == LABELS_FILE
    ]
    if not found:
        return "", None
    contents = {path: _read(tree, path) for path in found}
    if len(set(contents.values())) > 1:
        raise _bad(f"lies in several places with different contents ({some_of(found)}); only one can be right")
    return found[0], contents[found[0]]


def _read(tree: Tree, path: str) -> bytes | None:
    try:
        if tree.files.get(path, 0) > MAX_TEXT_FILE_BYTES:
            raise RefusedFileError(f"it is larger than {MAX_TEXT_FILE_BYTES // 1024} kB, and so it is not read")
        return tree.read_small(path)
    except RefusedFileError as refused:
        raise _bad(f"is not used: {refused.reason}") from refused


def _read_labels(content: bytes) -> list[str]:
    try:
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines(), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _bad(f"can't be read as UTF-8 text with commas ({error})") from error
    by_index: dict[int, str] = {}
    # The first line is a header; a file that begins with a label all the same is understood too.
    start = 0 if rows and rows[0] and _is_index(rows[0][-1]) else 1
    for number, row in enumerate(rows[start:], start=start + 1):
        if not any(cell.strip() for cell in row):
            continue
        name, index = unicodedata.normalize("NFC", ",".join(row[:-1]).strip()), row[-1].strip()
        if not name or not _is_index(index):
            raise _bad(f"has {','.join(row)[:80]!r} in line {number}; expected is name,index, e.g. daisy,0")
        if int(index) in by_index:
            raise _bad(f"gives index {int(index)} to both {by_index[int(index)]!r} and {name!r}")
        if name in by_index.values():
            raise _bad(f"lists {name!r} twice")
        by_index[int(index)] = name
    if not by_index:
        raise _bad("lists no labels; after a header line it takes one name,index line for each class folder")
    if sorted(by_index) != list(range(len(by_index))):
        gaps = [str(index) for index in range(len(by_index)) if index not in by_index]
        raise _bad(f"must number its {len(by_index)} labels from 0 without gaps; missing: {some_of(gaps)}")
    return [by_index[index] for index in range(len(by_index))]


def _is_index(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= MOST_INDEX_DIGITS


def _bad(problem: str) -> TrainingError:
    return TrainingError("bad_labels_info", f"{LABELS_FILE} {problem}. Correct the file, or delete it to sort by name.")
