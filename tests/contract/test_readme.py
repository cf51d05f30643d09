"""What README.md tells a newcomer to type exists. tests/socket/test_readme_calls.py makes its HTTP calls."""

from __future__ import annotations

import re

from conf.settings import ROOT, load
from demo.recipes import RECIPES
from service.command_line import command_names
from tests.readme import COMMANDS, OUTPUTS, README, code_blocks, commands
from web.documents.readme_table import with_table


def test_every_code_block_is_marked_as_commands_or_output() -> None:
    assert {language for language, _ in code_blocks()} <= {COMMANDS, *OUTPUTS}


def test_every_command_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in commands():
        match words:
            case ["make", target, *settings]:
                assert target in targets, words
                assert all(setting.removeprefix("TYPE=") in RECIPES for setting in settings), words
            case ["python", "server.py", command, *_]:
                assert command in command_names(), words
            case ["pip", "install", "-r", file]:
                assert (ROOT / file).is_file(), words
            case ["python3", "-m", "venv", ".venv"] | [".", ".venv/bin/activate"]:
                pass  # Python's own
            case ["curl", *_]:
                pass  # made in tests/socket/test_readme_calls.py
            case _:
                raise AssertionError(f"no test knows this command of README.md: {words}")


def test_the_first_output_is_what_start_prints() -> None:
    printed = next(text for language, text in code_blocks() if language == "text")
    source = (ROOT / "service" / "service_commands.py").read_text()
    assert f":{load({}).web.port}" in printed
    for words in re.findall(r"^ +(\w+) ", printed, re.MULTILINE):
        assert words in source


def test_the_table_of_calls_is_made_from_the_table_of_routes() -> None:
    text = README.read_text()
    assert text == with_table(text), "run `python -m web.documents.readme_table`"


def test_the_measured_figures_stand_in_the_benchmarks() -> None:
    rows = re.findall(r"^\|.*\| [\d.]+ \|$", README.read_text(), re.MULTILINE)
    benchmarks = [line for line in (ROOT / "docs" / "benchmarks.md").read_text().splitlines() if line.startswith("|")]
    assert len(rows) == 4
    for row in rows:
        score, seconds = re.search(r"\| ([\d.]+ %) \w+ \| ([\d.]+) \|$", row).groups()  # type: ignore[union-attr]
        # A table has the seconds in a column of their own, or in the cell of the score.
        together = re.compile(rf"\| {re.escape(score)}(?: \|.*\| {seconds} \||, {seconds} s \|)")
        assert any(together.search(line) for line in benchmarks), row
