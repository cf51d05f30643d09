"""The name under which a browser saves a file, made of what somebody has chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.files.file_names import MOST_NAME_CHARS, attachment, file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("flowers-1.zip", "flowers-1.zip"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\boot.ini", "C__boot.ini"),
        ("..", "_"),
        ("", "_"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie_ x"),
        ("gpj.exe\u202e", "gpj.exe_"),
        ("Blüten 🌼", "Blüten 🌼"),
        ("\udcff", "_"),
        ("x" * 500, "x" * MOST_NAME_CHARS),
    ],
)
def test_a_text_becomes_a_name_without_a_path(text: str, name: str) -> None:
    assert file_name(text).replace("?", "_") == name


def test_other_letters_have_their_own_field() -> None:
    assert attachment("Blüten.zip") == "attachment; filename=\"Bl_ten.zip\"; filename*=UTF-8''Bl%C3%BCten.zip"
    assert attachment("flowers.zip") == 'attachment; filename="flowers.zip"'


@given(st.text())
def test_no_text_can_end_the_header(text: str) -> None:
    header = attachment(file_name(text))
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
