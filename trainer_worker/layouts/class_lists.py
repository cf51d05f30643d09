"""Classes from a list beside the pictures (`train.csv`, `labels.csv`, Roboflow's `_classes.csv`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from protocol.text import printable
from trainer_worker.layouts.label_tables import (
    FILE_COLUMNS,
    LABEL_COLUMNS,
    PART_COLUMNS,
    Table,
    is_set,
    tables_of,
)
from trainer_worker.layouts.layout import ClassLayout, LabelledFile, Part
from trainer_worker.layouts.listed_classes import column_findings
from trainer_worker.layouts.listed_parts import part_column, parts_of_tables, unknown_parts
from trainer_worker.layouts.listed_pictures import ListedPictures
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.part_names import part_of, parts_of, stricter
from trainer_worker.layouts.picture_index import PictureIndex, name_of
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.split_lists import unused_parts
from trainer_worker.layouts.tree import comparable

#: This many rows are tried to find the column with the names of the files.
_TRIED_ROWS = 200
#: A list is refused if more than this share of its rows gives several classes or none.
_MOST_WITHOUT_ONE_CLASS = 0.1
#: A list and the folders tell the same classes if they agree on at least this share of the pictures.
_SAME_CLASSES = 0.9
#: In a list without a known column of files, the names of files are looked for in this many columns.
_TRIED_COLUMNS = 20
_CURE_OF_ATTRIBUTES = (
    "Classification takes one class for each picture: keep the column of the files and one attribute, and call that "
    "label."
)
#: A column of one of these names tells something else than the class.
_NEVER_LABELS = (*PART_COLUMNS, *(name for name in FILE_COLUMNS if name != "name"))

#: The name of this layout.
CLASS_LIST = "class_list"
ROWS = (
    LayoutRow(
        CLASS_LIST,
        "classification",
        "pictures in no class folders, and a `.csv` or `.tsv` with a header: a column `file`, `filename`, `image`, "
        "`image_id`, `id` or `path`, and one `label`, `class`, `category` or `target`; or one column of 0 and 1 for "
        "each class (`_classes.csv`)",
        "each row gives a picture its class. Ids without extension are understood. A column `split`, or names such as "
        "`train.csv` and `test.csv`, give the caller's split",
    ),
)


@dataclass
class _Listed:
    """What all lists of a project say together.

    labels: the classes of each picture, by its path. parts: the part of the split of each picture, if a list says it.
    lists: the files that say so. columns: where they hold the classes, in words. missing, unclear: names in rows that
    fit no picture, or several.
    without_one_class: pictures with several classes or none. refused: why a list can't be used, as a sentence.
    column_findings: what is to be said of the columns that were taken.
    """

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[str, Part] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    without_one_class: list[str] = field(default_factory=list)
    refused: str = ""
    column_findings: list[Finding] = field(default_factory=list)


def rows_of_lists(index: PictureIndex, root: str, decided: Set[str]) -> ClassLayout | None:
    """The classes that lists give to pictures; None where no list names any of them.

    root: the folder that may hold the parts of a split. decided: pictures that need no row, because a person has said
    elsewhere what becomes of them. Raises TrainingError layout_unclear, layout_unsupported.
    """
    pictures = ListedPictures(index.paths)
    tables = tables_of(index.tree)
    table_parts = parts_of_tables(tables.read)
    listed = _Listed()
    # A list that says which column holds the classes comes before one that doesn't, except where both are parts.
    for table in sorted(tables.read, key=_is_guessed):
        part = table_parts[table.path]
        if part is not Part.ANY or not (_is_guessed(table) and listed.labels):
            _read(table, pictures, part, listed)
    if listed.refused:
        raise TrainingError("layout_unsupported", listed.refused)
    if not listed.labels and listed.unclear:
        raise TrainingError(
            "layout_unclear",
            f"Each row of {some_of(listed.lists)} fits several pictures of the same name, such as "
            f"{some_of(listed.unclear[:3])}. Write their folders into the list.",
        )
    if not listed.labels:
        return None
    conflicting = sorted(path for path, labels in listed.labels.items() if len(labels) > 1)
    folders = {f"{root}/{name}" if root else name: part for name, part in _folder_parts(index, root).items()}
    if len(conflicting) == len(listed.labels):
        raise TrainingError(
            "layout_unclear",
            f"{some_of(listed.lists)} gives each of {len(conflicting)} pictures several classes, such as "
            f"{some_of(sorted(listed.labels[conflicting[0]]))} to {printable(conflicting[0])}. Keep the list that is "
            "right, with one row for each picture.",
        )
    rows = tuple(
        LabelledFile(path, min(labels), listed.parts.get(path) or _part_by_folder(path, folders))
        for path, labels in sorted(listed.labels.items())
        if len(labels) == 1
    )
    _refuse_values(rows, listed.lists)
    columns = f", in {some_of(list(dict.fromkeys(listed.columns)))}" if listed.columns else ""
    rule = f"Found no class folders; {some_of(listed.lists)} gives the class of each picture{columns}."
    findings = (
        *_findings(index, listed, conflicting, decided),
        *listed.column_findings,
        *(unused_parts(listed.lists) if {row.part for row in rows} <= {Part.VAL, Part.TEST} else ()),
        *tables.damage_findings(Severity.WARNING),
    )
    return ClassLayout(CLASS_LIST, rule, (), rows, findings, tuple(listed.lists))


def findings_about_lists(index: PictureIndex, rows: Sequence[LabelledFile]) -> list[Finding]:
    """Compare lists with the class folders. Raises layout_unclear if a list gives the pictures other classes."""
    tables = tables_of(index.tree)
    findings = tables.damage_findings(Severity.INFO)
    if not tables.read:
        return findings
    folder_of = {row.path: row.label for row in rows}
    pictures = ListedPictures(list(folder_of))
    everywhere = ListedPictures(index.paths)
    about_parts = _lists_of_parts(tables.read, pictures) if all(row.part is Part.ANY for row in rows) else []
    findings += unused_parts(about_parts) if about_parts else []
    for table in tables.read:
        listed = _Listed()
        _read(table, pictures, Part.ANY, listed)
        pairs = Counter((min(labels), folder_of[path]) for path, labels in listed.labels.items() if len(labels) == 1)
        others = pairs.total() * 2 >= len(rows) and not _same_classes(pairs, set(folder_of.values()))
        if others and _is_guessed(table) and set(folder_of.values()).isdisjoint(label for label, _ in pairs):
            listed = _Listed()  # the column tells something else, such as numbers of folds
        elif others:
            raise TrainingError(
                "layout_unclear",
                f"The class folders and the list {printable(table.path)} give the pictures different classes, and "
                "it is unclear which ones are right. If the folders are, remove the list from the project. If the list "
                "is, put all pictures into one folder.",
            )
        read = listed.labels or table.has_boxes or table.path in about_parts
        if not read and _names_pictures(table, pictures, len(rows)):
            sentence = (
                f"{printable(table.path)} lists the pictures, but is not used, because {_lacks(table)}. "
                "The classes come from the folders."
            )
            cure = "If the list is right, correct its first line, and put all pictures into one folder."
            severity, cure = (Severity.INFO, "") if table.attributes() else (Severity.WARNING, cure)
            findings.append(finding("unused_list", severity, sentence, cure, [table.path]))
        elsewhere = _Listed()
        _read(table, everywhere, Part.ANY, elsewhere)
        outside = sorted(elsewhere.labels.keys() - folder_of.keys())
        if outside and not _is_guessed(table):
            sentence = (
                f"Pictures in no class folder to which {printable(table.path)} gives a class: {len(outside)}. They are "
                "not used, because the classes come from the folders."
            )
            cure = "Move these pictures into the folders of their classes."
            findings.append(finding("unused_list", Severity.WARNING, sentence, cure, outside))
    return findings


def _lists_of_parts(tables: Sequence[Table], pictures: ListedPictures) -> list[str]:
    """The lists that together divide pictures into parts to train on and to score with."""
    table_parts = parts_of_tables(tables)
    parts: dict[str, set[Part]] = {}
    for table in tables:
        file_column = _file_column(table, pictures)
        if file_column is None:
            continue
        column = part_column(table, (file_column, *table.columns(LABEL_COLUMNS)))
        named = [row for row in table.rows if len(pictures.find(row[file_column], table.path)) == 1]
        said = {part_of(row[column]) for row in named} if column is not None else {table_parts[table.path]}
        if named and said - {Part.ANY}:
            parts[table.path] = said
    return list(parts) if len(set().union(*parts.values()) - {Part.ANY}) > 1 else []


def why_lists_say_nothing(index: PictureIndex) -> str:
    """A sentence, after a blank, on the first list from which no class could be read; "" without a list."""
    pictures = ListedPictures(index.paths)
    for table in tables_of(index.tree).read if index.paths else ():
        if _names_pictures(table, pictures, len(index.paths)):
            cure = (
                _CURE_OF_ATTRIBUTES if table.attributes() else "If the list holds the classes, correct its first line."
            )
            return f" {printable(table.path)} lists the pictures, but {_lacks(table)}. {cure}"
        if table.columns(LABEL_COLUMNS) and table.columns(FILE_COLUMNS) and table.rows:
            cell = table.rows[0][table.columns(FILE_COLUMNS)[0]]
            return f" {printable(table.path)} names no picture of the project: {printable(cell)} is none."
    return ""


def _lacks(table: Table) -> str:
    """Why no class could be read from a table that lists pictures."""
    if attributes := table.attributes():
        return (
            f"each of its {len(attributes)} columns of -1 and 1 says whether a picture has an attribute, and a picture "
            "may have several"
        )
    if not table.columns(LABEL_COLUMNS):
        return "none of its columns is called label or class"
    if not table.columns(FILE_COLUMNS):
        return "none of its columns is called file"
    return "its column of classes gives none of them one class"


def box_lists(index: PictureIndex) -> list[str]:
    """Lists with boxes around objects."""
    return [table.path for table in tables_of(index.tree).read if table.has_boxes]


def _read(table: Table, pictures: ListedPictures, part: Part, listed: _Listed) -> None:
    """Add what one table says to `listed`."""
    if len(table.header) == 2 and any(pictures.find(cell, table.path) for cell in table.header):
        table = Table(table.path, ("", ""), (table.header, *table.rows))  # it has no header
    file_column = _file_column(table, pictures)
    if file_column is None or table.has_boxes:
        return
    labels = [column for column in table.columns(LABEL_COLUMNS) if column != file_column]
    one_hot = [] if labels else table.one_hot(file_column)
    if _is_guessed(table) and 1 - file_column not in table.columns(_NEVER_LABELS):
        labels = [1 - file_column]
    if not labels and not one_hot:
        return
    column = table.header[labels[0]].strip() if labels else "one column for each class"
    listed.columns += [f"the column {column}" if labels else column] if column else []
    listed.column_findings += column_findings(table, labels[0], _is_guessed(table)) if labels else []
    parts_at = part_column(table, (file_column, *labels))
    listed.column_findings += unknown_parts(table, parts_at)
    several = 0
    for row in table.rows:
        found = pictures.find(row[file_column], table.path)
        if len(found) != 1:
            (listed.unclear if found else listed.missing).append(row[file_column].strip())
            continue
        label = _label(row, labels[0] if labels else None, one_hot, table)
        if not label:
            several += 1
            listed.without_one_class.append(found[0])
            continue
        listed.labels[found[0]].add(label)
        said = part_of(row[parts_at]) if parts_at is not None else part
        if said is not Part.ANY:
            listed.parts[found[0]] = stricter(listed.parts.get(found[0], Part.ANY), said)
    if one_hot and several > _MOST_WITHOUT_ONE_CLASS * len(table.rows):
        listed.refused = (
            f"{printable(table.path)} gives {several} of {len(table.rows)} pictures several classes or none. "
            "Classification takes exactly one class for each picture; correct the list."
        )
    listed.lists.append(table.path)


def _is_guessed(table: Table) -> bool:
    """Whether a table has two columns, of which none is called label or the like: the one without files is taken."""
    return len(table.header) == 2 and not table.columns(LABEL_COLUMNS)


def _label(row: Sequence[str], column: int | None, one_hot: Sequence[int], table: Table) -> str:
    """The class that a row gives; "" if there is none, or not exactly one."""
    if column is not None:
        return comparable(row[column].strip())
    marked = [other for other in one_hot if is_set(row[other])]
    return comparable(table.header[marked[0]].strip()) if len(marked) == 1 else ""


def _file_column(table: Table, pictures: ListedPictures) -> int | None:
    """The column whose cells name the most pictures; None where none does."""
    candidates = table.columns(FILE_COLUMNS)
    if not candidates and len(table.header) == 2:
        candidates = [0, 1]
    tried = table.rows[:_TRIED_ROWS]
    hits = {column: sum(bool(pictures.find(row[column], table.path)) for row in tried) for column in candidates}
    best = max(candidates, key=lambda column: hits[column], default=None)
    return best if best is not None and hits[best] else None


def _names_pictures(table: Table, pictures: ListedPictures, count: int) -> bool:
    """Whether a column names at least half of `count` pictures, whatever it is called."""
    lines = (table.header, *table.rows)
    for column in range(min(len(table.header), _TRIED_COLUMNS)):
        if any(pictures.find(line[column], table.path) for line in lines[:_TRIED_ROWS]):
            hits = [pictures.find(line[column], table.path) for line in lines]
            named = {found[0] for found in hits if len(found) == 1}
            if len(named) * 2 >= count:
                return True
    return False


def _same_classes(pairs: Mapping[tuple[str, str], int], labels: Set[str]) -> bool:
    """Whether almost every class of a list is one class folder, and the other way round.

    pairs: how often each (class of the list, class folder) occurs. labels: all class folders. A class may have another
    name in the list, but not that of another folder.
    """
    folders: dict[str, Counter[str]] = defaultdict(Counter)
    for (label, folder), count in pairs.items():
        folders[label][folder] += count
    most = {label: counts.most_common(1)[0] for label, counts in folders.items()}
    alike = sum(count for _, count in most.values())
    if any(label in labels and folder != label for label, (folder, _) in most.items()):
        return False
    return alike >= _SAME_CLASSES * sum(pairs.values()) and len({folder for folder, _ in most.values()}) == len(most)


def _folder_parts(index: PictureIndex, root: str) -> dict[str, Part]:
    return parts_of(map(name_of, index.folders(root)))


def _part_by_folder(path: str, folders: Mapping[str, Part]) -> Part:
    return next((part for folder, part in folders.items() if path.startswith(f"{folder}/")), Part.ANY)


def _refuse_values(rows: Sequence[LabelledFile], lists: Sequence[str]) -> None:
    """Refuse a column with a different value for almost every picture: it holds a price, an age or a name."""
    labels = {row.label for row in rows}
    if len(labels) > max(2, len(rows) // 2):
        raise TrainingError(
            "layout_unclear",
            f"{some_of(lists)} gives {len(labels)} different values to {len(rows)} pictures, such as "
            f"{some_of(sorted(labels)[:3])}, but each class needs several. Call the column with the classes label, or "
            "add pictures.",
        )


def _findings(index: PictureIndex, listed: _Listed, conflicting: Sequence[str], decided: Set[str]) -> Iterator[Finding]:
    """What is wrong with the lists. Nothing is said of the class of a picture that is decided elsewhere."""
    if listed.missing:
        sentence = f"Rows of {some_of(listed.lists)} whose picture is missing: {len(listed.missing)}."
        yield finding(
            "rows_without_file", Severity.WARNING, sentence, "Add the pictures, or delete the rows.", listed.missing
        )
    if listed.unclear:
        sentence = f"Rows of {some_of(listed.lists)} that fit several pictures of the same name: {len(listed.unclear)}."
        cure = "Write their folders into the list."
        yield finding("rows_with_several_files", Severity.WARNING, sentence, cure, listed.unclear)
    if files := [path for path in listed.without_one_class if path not in decided]:
        sentence = f"Pictures to which {some_of(listed.lists)} gives no class, or several, are left out: {len(files)}."
        yield finding("rows_without_class", Severity.WARNING, sentence, "Give each of them one class.", files)
    if conflicting := [path for path in conflicting if path not in decided]:
        sentence = f"Pictures that are listed twice, with different classes, are left out: {len(conflicting)}."
        yield finding("conflicting_rows", Severity.WARNING, sentence, "Keep only the right row.", conflicting)
    named = {*listed.labels, *listed.without_one_class, *decided}
    without = [path for path in index.paths if path not in named]
    if without:
        sentence = f"Pictures that {some_of(listed.lists)} does not list are left out: {len(without)}."
        yield finding("files_without_row", Severity.WARNING, sentence, "Add rows for them.", without)
