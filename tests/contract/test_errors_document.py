"""docs/errors.md has a section for each code, with what a caller needs to know."""

from __future__ import annotations

import re

import pytest

from protocol.errors import FAILURE_CODES, REFUSAL_CODES
from web.documents.pages import ERRORS, error_page
from web.documents.pages import SECTIONS as PLACE

SECTIONS = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^#|\Z)", ERRORS.read_text(), re.MULTILINE | re.DOTALL))
CODES = {**REFUSAL_CODES, **FAILURE_CODES}


def test_no_code_is_listed_twice_and_none_is_unknown() -> None:
    listed = re.findall(r"^### `(\w+)`$", ERRORS.read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_each_code_says_what_it_means_what_to_do_and_whether_to_try_again(code: str) -> None:
    assert code in SECTIONS, f"docs/errors.md needs a section '### `{code}`'"
    text = SECTIONS[code]
    status = f"Status {REFUSAL_CODES[code]}. " if code in REFUSAL_CODES else f"Class `{FAILURE_CODES[code].value}`. "
    assert text.startswith(status)
    assert re.search(r"\bTry again: [a-z].*\.\s*\Z", text, re.DOTALL), "end with 'Try again: …'"
    meaning, to_do = text.strip().split("\n\n")
    assert len(meaning) > len(status) + 10
    assert len(to_do.partition("Try again:")[0]) > 10


def test_sections_stand_in_the_order_of_the_codes_by_status() -> None:
    """So a reader finds a code whose status is known."""
    statuses = [REFUSAL_CODES[code] for code in SECTIONS if code in REFUSAL_CODES]
    assert statuses == sorted(statuses)


def test_the_page_has_an_anchor_for_each_code_and_nothing_that_runs() -> None:
    page = error_page(ERRORS, PLACE).decode()
    for code in CODES:
        assert f'id="{code}"' in page
    assert "<script" not in page
    assert "style=" not in page
