"""The documents are readable, their links lead somewhere, and what they name exists."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.settings import ROOT
from service.command_line import command_names

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "clients").rglob("*.md")])
CHOICES = ROOT / "docs" / "choices.md"
MOST_CHARACTERS = 120
#: Our own words for what the field has a word for.
NOT_THE_FIELDS_WORDS = ("named wrong", "named right", "throwaway", "rubbish", "passes over", "how-manieth")


def sources() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    yield from (ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists())


def without_code(text: str) -> str:
    """The text with blank lines in place of its fenced code."""
    return re.sub(r"^```.*?^```", lambda found: "\n" * found[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)


def pointers(path: Path) -> list[str]:
    """The headings of docs/choices.md that a file points to. A comment may break a heading over two lines."""
    text = re.sub(r"\s*\n\s*(#:? )?", " ", path.read_text())
    return re.findall(r'docs/choices\.md, "([^"]+)"', text)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def names(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_lines_are_short_enough_to_read(document: Path) -> None:
    long = [
        number
        for number, line in enumerate(document.read_text().splitlines(), 1)
        if len(line) > MOST_CHARACTERS and not line.startswith("|")
    ]
    assert not long, f"{names(document)} has more than {MOST_CHARACTERS} characters in these lines"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_documents_use_the_words_of_the_field(document: Path) -> None:
    text = document.read_text()
    assert [words for words in NOT_THE_FIELDS_WORDS if words in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", without_code(document.read_text())):
        if target.startswith(("http://", "https://")):
            continue
        file, _, fragment = target.partition("#")
        page = (document.parent / file).resolve() if file else document
        assert page.exists(), f"{names(document)} links to {target}, which does not exist"
        if fragment:
            assert fragment in map(anchor, headings(page)), f"{names(document)}: {target} has no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_modules_and_make_targets_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    for module in re.findall(r"python -m ([a-z_.]+)", text):
        path = ROOT / module.rstrip(".").replace(".", "/")
        known = module in ("venv", "pytest") or path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        assert known, f"{names(document)}: there is no module {module}"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", text, re.MULTILINE):
        assert "".join(target) in targets, f"{names(document)}: make has no target {''.join(target)}"


def test_each_choice_has_a_heading_of_its_own() -> None:
    assert len(headings(CHOICES)) == len(set(headings(CHOICES)))


def test_each_choice_says_its_question_and_what_was_kept() -> None:
    for section in re.split(r"^### ", CHOICES.read_text(), flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        assert "**Question.**" in section, title
        assert "**Kept.**" in section, title
        if "**Tried.**" in section:
            assert "**Command.**" in section, f"{title}: which command prints the figures, or none?"


def test_constants_that_choices_names_exist() -> None:
    code = "\n".join(path.read_text() for path in sources())
    known = {*re.findall(r"^[A-Z]\w*", code, re.MULTILINE)}
    for several in re.findall(r"^([A-Z_0-9, ]+)=", code, re.MULTILINE):
        known.update(re.findall(r"\w+", several))
    named = {*re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`", CHOICES.read_text())}
    flags_of_open = {name for name in named if name.startswith("O_")}
    assert named - flags_of_open - known == set()


def test_headings_of_choices_that_code_points_to_exist() -> None:
    known = headings(CHOICES)
    for path in sources():
        for heading in pointers(path):
            assert heading in known, f"{names(path)} points to {heading!r}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_settings_that_are_named_exist(document: Path) -> None:
    settings = tomllib.loads((ROOT / "conf" / "tfmodel.toml").read_text())
    text = document.read_text()
    for section, key in re.findall(r"\[([a-z]+)\] ([a-z_]+)", text):
        if section in settings and not (document.name == "CHANGELOG.md" and f"`[{section}] {key}` is gone" in text):
            assert key in settings[section], f"{names(document)}: [{section}] has no key {key}"
    for section, key in re.findall(r"TFMODEL_([A-Z]+)_([A-Z_]+)", text):
        assert key.lower() in settings[section.lower()], f"{names(document)}: TFMODEL_{section}_{key}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_commands_of_the_server_that_are_named_exist(document: Path) -> None:
    known = command_names()
    for command in re.findall(r"python\s+server\.py ([a-z][a-z-]*)", document.read_text()):
        assert command in known, f"{names(document)}: python server.py {command}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_parts_of_a_url_that_stand_for_something_have_braces(document: Path) -> None:
    """As in OpenAPI. Angle brackets are for folders on the disk."""
    assert re.findall(r"(?:/v1/|…/)[^\s`]*<[^\s`]*", document.read_text()) == []
