"""The scripts and words of the page: short files, no message without words, and no words without a use."""

from __future__ import annotations

import json
import re

import pytest

from web.documents.static_files import STATIC

PAGE = STATIC / "page"
SCRIPTS = sorted(path for path in PAGE.rglob("*.js"))
STYLES = sorted(PAGE.rglob("*.css"))
WORDS = json.loads((PAGE / "words" / "en.json").read_text())
MOST_LINES = 250
LONGEST_LINE = 140
#: Calls that look up messages by names that the server sends, such as a state. They name a part of en.json.
NAMED_BY_THE_SERVER = re.compile(r"""named\("(\w+)",""")
QUOTED = re.compile(r"""["'`]([a-z_]+\.[a-z_0-9]+)["'`]""")


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=lambda path: path.relative_to(PAGE).as_posix())
def test_a_file_is_short_and_says_what_it_is_for(path: object) -> None:
    lines = path.read_text().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= LONGEST_LINE
    assert lines[0].startswith(("//", "/*"))


def test_scripts_write_no_html_by_themselves() -> None:
    html = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bstyle=\"")
    assert [path.name for path in SCRIPTS if html.search(path.read_text())] == []


def test_all_words_are_used_and_all_that_are_used_exist() -> None:
    written = {f"{view}.{name}" for view, messages in WORDS.items() for name in messages}
    script = "\n".join(path.read_text() for path in SCRIPTS)
    assert set(re.findall(r"""\bt\(\s*["'](\w+\.\w+)["']""", script)) - written == set()
    of_the_server = set(NAMED_BY_THE_SERVER.findall(script))
    unused = {name for name in written - set(QUOTED.findall(script)) if name.split(".")[0] not in of_the_server}
    assert unused == set()
