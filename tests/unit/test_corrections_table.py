"""corrections.csv as text: what a person writes by hand is understood, and what we write is read as it was meant."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.corrections import (
    MOST_CORRECTIONS_BYTES,
    MOST_CORRECTIONS_ROWS,
    Action,
    Correction,
    CorrectionsError,
    CorrectionsTable,
)

EXCLUDED = Correction("cat/1.jpg", Action.EXCLUDE)
MOVED = Correction("cat/2.jpg", Action.LABEL, "dog")
KEPT = Correction("dog/3.jpg", Action.KEEP)
WRITTEN = b"picture,action,label\ncat/1.jpg,exclude,\ncat/2.jpg,label,dog\ndog/3.jpg,keep,\n"

#: Anything that a file or a class may be called: no file system allows NUL, and UTF-8 no surrogates.
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def table_of(*corrections: Correction) -> CorrectionsTable:
    return CorrectionsTable().changed({correction.picture: correction for correction in corrections})


def test_a_new_file_has_the_header_and_one_row_for_each_picture() -> None:
    assert table_of(EXCLUDED, MOVED, KEPT).encoded() == WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN.decode(),
        "\ufeffPicture;Action;Label\r\ncat/1.jpg;EXCLUDE;\r\ncat/2.jpg;Label;dog\r\ndog/3.jpg;keep\r\n",
        "cat/1.jpg,exclude\ncat/2.jpg,label,dog\ndog/3.jpg,keep",
        "label\taction\tpicture\n\texclude\tcat/1.jpg\ndog\tlabel\tcat/2.jpg\n\tkeep\tdog/3.jpg\n",
        "\n;;;\npicture ; action ; note ; label\ncat/1.jpg;exclude;blurred;\ncat/2.jpg;label;;dog\ndog/3.jpg;keep;;\n",
        '"picture","action"\n"cat/1.jpg", "exclude"\n"cat/2.jpg","label","dog"\n\n"dog/3.jpg","Keep "\n',
        "picture,action,label\rcat/1.jpg,exclude,\rcat/2.jpg,label,dog\rdog/3.jpg,keep,no matter\r",
    ],
)
def test_what_spreadsheets_and_people_write_is_understood(text: str) -> None:
    for content in (text.encode(), text.removeprefix("\ufeff").encode("utf-16")):
        table = CorrectionsTable.read(content)
        assert (table.corrections(), table.problems()) == ([EXCLUDED, MOVED, KEPT], [])
        assert CorrectionsTable.read(table.encoded()).corrections() == [EXCLUDED, MOVED, KEPT]


def test_rows_that_cannot_be_understood_are_named_by_their_line() -> None:
    text = 'picture,action,label\n"a\nb.jpg",keep,\n,exclude,\na.jpg,delete,\na.jpg,label,\na.jpg,,cat\n\nb.jpg,keep,\n'
    table = CorrectionsTable.read(text.encode())
    assert table.problems() == [
        "line 4 names no picture",
        "line 5 has the action 'delete'; write label, exclude or keep",
        "line 6 gives no class; write its name into the column label",
        "line 7 has no action; write label, exclude or keep",
    ]
    assert [one.picture for one in table.corrections()] == ["a\nb.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("pïcture".encode("latin-1"), "not UTF-8"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"image,label\na.jpg,cat\n", "first line must be picture,action,label"),
        (b'picture,action,label\na.jpg,keep,\n"b.jpg,exclude,\nc.jpg,exclude,\n', "from line 3 on"),
        (b" " * (MOST_CORRECTIONS_BYTES + 1), "larger than 8 MB"),
        (b"picture,action\n" + b"a,keep\n" * (MOST_CORRECTIONS_ROWS + 1), "more than 50,000 rows"),
    ],
)
def test_a_file_that_is_no_list_of_corrections_is_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(CorrectionsError, match=why) as caught:
        CorrectionsTable.read(content)
    assert str(caught.value).startswith("it ")


@given(st.lists(st.tuples(NAMES, st.sampled_from(Action), NAMES), max_size=8))
def test_what_is_written_is_read_as_it_was_meant(said: list[tuple[str, Action, str]]) -> None:
    given_ = [Correction(name, action, label if action is Action.LABEL else "") for name, action, label in said]
    changes = {correction.picture: correction for correction in given_}
    content = CorrectionsTable().changed(changes).encoded()
    table = CorrectionsTable.read(content)
    assert (table.corrections(), table.problems()) == (list(changes.values()), [])
    assert table.encoded() == content
    assert table.changed(dict.fromkeys(changes)).encoded() == b""


@given(NAMES)
def test_no_cell_that_is_written_is_a_formula_for_any_separator(name: str) -> None:
    text = table_of(Correction(name, Action.LABEL, name)).encoded().decode()
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_names_that_begin_like_formulas_are_written_as_text() -> None:
    formula = Correction('=HYPERLINK("http://example.org")/1.jpg', Action.LABEL, "-1")
    content = table_of(formula).encoded()
    assert content.endswith(b'"\'=HYPERLINK(""http://example.org"")/1.jpg",label,\'-1\n')
    assert CorrectionsTable.read(content).corrections() == [formula]
    by_hand = b"picture,action,label\n=1.jpg,label,-1\n"
    assert CorrectionsTable.read(by_hand).corrections() == [Correction("=1.jpg", Action.LABEL, "-1")]


def test_a_change_keeps_what_others_have_written() -> None:
    by_hand = (
        "Picture;Note;Action;Label\r\n a.jpg ; mine ;Keep;\r\nwhat is this\r\n\r\n"
        "./cat\\1.jpg;x;keep;\r\nb.jpg;;label;cat"
    )
    table = CorrectionsTable.read(f"\ufeff{by_hand}".encode())
    changed = table.changed({EXCLUDED.picture: EXCLUDED, "new.jpg": Correction("new.jpg", Action.LABEL, "a;b")})
    assert changed.encoded().decode() == (
        "\ufeffPicture;Note;Action;Label\r\n a.jpg ; mine ;Keep;\r\nwhat is this\r\n\r\nb.jpg;;label;cat\r\n"
        'cat/1.jpg;;exclude;\r\nnew.jpg;;label;"a;b"\r\n'
    )
    assert changed.changed({"a.jpg": None, "new.jpg": None, "unknown.jpg": None}).encoded().decode() == (
        "\ufeffPicture;Note;Action;Label\r\nwhat is this\r\n\r\nb.jpg;;label;cat\r\ncat/1.jpg;;exclude;\r\n"
    )


def test_later_rows_count_and_a_new_one_is_the_latest() -> None:
    table = CorrectionsTable.read(b"a.jpg,keep\nb.jpg,keep\na.jpg,exclude\n")
    assert table.corrections() == [Correction("b.jpg", Action.KEEP), Correction("a.jpg", Action.EXCLUDE)]
    keep = Correction("a.jpg", Action.KEEP)
    assert table.changed({"a.jpg": keep}).corrections() == [Correction("b.jpg", Action.KEEP), keep]


def test_two_forms_of_one_name_are_two_pictures_until_one_is_taken_back() -> None:
    """Folders from macOS and from Windows may hold pictures of the same name."""
    composed, decomposed = Correction("caf\u00e9/1.jpg", Action.KEEP), Correction("cafe\u0301/1.jpg", Action.EXCLUDE)
    both = table_of(composed, decomposed)
    assert both.corrections() == [composed, decomposed]
    assert both.changed({decomposed.picture: None}).corrections() == [composed]
    assert table_of(composed).changed({decomposed.picture: None}).corrections() == []


def test_a_change_may_not_make_the_file_too_large() -> None:
    rows = b"a.jpg,keep\n" * MOST_CORRECTIONS_ROWS
    with pytest.raises(CorrectionsError, match="more than 50,000 rows"):
        CorrectionsTable.read(rows).changed({KEPT.picture: KEPT}).encoded()
