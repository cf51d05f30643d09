"""What `start` asks of the journal: a first start needs no word, a lost journal does; the search for models ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.journal import JournalError
from broker.sqlite_journal.journal import SqliteJournal
from conf.settings import Settings, load
from service.journal_check import MOST_MODELS, check_journal, find_model


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "projects").mkdir()
    return load({"TFMODEL_HOME": str(tmp_path)})


def make_model(projects: Path, project: str = "flowers", manifest: bool = True) -> Path:
    model = projects / project / "models" / "0123"
    model.mkdir(parents=True)
    if manifest:
        (model / "manifest.json").write_text("{}")
    return model


def test_a_first_start_needs_no_word(settings: Settings, tmp_path: Path) -> None:
    assert check_journal(settings, new_journal=False) == ""
    (tmp_path / "projects" / "flowers" / "images").mkdir(parents=True)
    make_model(tmp_path / "projects", "unfinished", manifest=False)
    assert check_journal(settings, new_journal=False) == ""
    assert not Path(settings.broker.journal).exists()


def test_models_without_a_journal_stop_a_start(settings: Settings, tmp_path: Path) -> None:
    model = make_model(tmp_path / "projects")
    with pytest.raises(JournalError, match="there are models") as refused:
        check_journal(settings, new_journal=False)
    for words in (str(model), "server.py restore", "--new-journal"):
        assert words in str(refused.value)
    assert check_journal(settings, new_journal=True) == ""
    SqliteJournal(Path(settings.broker.journal)).close()
    assert check_journal(settings, new_journal=False) == ""


def test_the_search_for_models_follows_no_link_and_ends(tmp_path: Path) -> None:
    elsewhere, projects = tmp_path / "elsewhere", tmp_path / "projects"
    make_model(elsewhere)
    projects.mkdir()
    (projects / "link").symlink_to(elsewhere / "flowers")
    for name in ("linked_models", "linked_model"):
        (projects / name).mkdir()
    (projects / "linked_models" / "models").symlink_to(elsewhere / "flowers" / "models")
    (projects / "linked_model" / "models").mkdir()
    (projects / "linked_model" / "models" / "0123").symlink_to(elsewhere / "flowers" / "models" / "0123")
    for number in range(MOST_MODELS * 3):
        (projects / "many" / "models" / str(number)).mkdir(parents=True)
    assert find_model([projects, tmp_path / "missing"]) is None
    assert find_model([elsewhere]) == elsewhere / "flowers" / "models" / "0123"


def test_a_journal_that_cannot_be_written_to_stops_a_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteJournal(Path(settings.broker.journal)).close()
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    with pytest.raises(JournalError, match="may not write"):
        check_journal(settings, new_journal=False)
