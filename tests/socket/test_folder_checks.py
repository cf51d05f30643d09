"""Folders that are checked and not trained on: POST /v1/check and dryRun=1, at a real front-end with its checker."""

from __future__ import annotations

import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import REFUSAL_CODES
from tests.drawn_projects import draw_classes, draw_pairs
from tests.socket.programs import FORM_HEADERS, Answer, Programs

FIELDS = {"userId": "anna", "projectId": "flowers", "trainType": "classification"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("checks")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """With tokens, which each test makes."""
    folder = tmp_path_factory.mktemp("guarded")
    with Programs(folder, HOME=folder / "state") as running:
        draw_classes(running.projects / "anna" / "flowers", {"rose": 3, "tulip": 3})
        yield running


def check(programs: Programs, headers: dict[str, str] | None = None, /, **changes: str) -> Answer:
    form = urllib.parse.urlencode({**FIELDS, "projectDir": "anna/flowers", **changes}).encode()
    return programs.call("POST", "/v1/check", form, {**FORM_HEADERS, **(headers or {})})


def report_on(programs: Programs, project: Path, **changes: str) -> dict[str, Any]:
    """The report of both calls, which must be the same."""
    answer = check(programs, projectDir=str(project), **changes)
    assert answer.status == 200, answer
    dry = programs.post(None, projectDir=str(project), dryRun="1", **changes)
    assert dry.body == answer.body
    return answer.body


def codes(report: dict[str, Any], severity: str) -> set[str]:
    return {found["code"] for found in report["findings"] if found["severity"] == severity}


def test_a_good_folder_is_understood_and_makes_no_task(programs: Programs) -> None:
    project = draw_classes(programs.projects / "good", {"rose": 21, "tulip": 20})
    report = report_on(programs, project, projectId="good")
    assert report["trainable"] is True
    assert (report["layout"], report["pictures"], report["skippedFiles"]) == ("class_folders", 41, 0)
    assert report["counts"] == {"rose": 21, "tulip": 20}
    assert report["findings"] == []
    assert programs.get("/v1/tasks?projectId=good").body["tasks"] == []
    assert not (project / ".tfmodel").exists()
    assert not (project / "models").exists()


def test_dry_run_of_0_makes_a_task(programs: Programs) -> None:
    assert programs.post(dryRun="0").body["state"] == "pending"


def test_a_dry_run_that_is_neither_1_nor_0_is_refused(programs: Programs) -> None:
    answer = programs.post(dryRun="perhaps")
    assert (answer.status, answer.body["code"], answer.body["fields"].keys()) == (400, "bad_fields", {"dryRun"})


def test_a_broken_folder_is_answered_with_what_the_training_would_say(programs: Programs) -> None:
    project = draw_classes(programs.projects / "broken", {"rose": 3, "tulip": 1})
    (project / "images" / "rose" / "0.png").write_bytes(b"no picture")
    report = report_on(programs, project)
    assert report["trainable"] is False
    assert codes(report, "error") == {"too_few_classes"}
    assert codes(report, "warning") == {"unreadable_pictures"}
    error = report["findings"][0]
    assert "here are rose: 2, tulip: 1, without those that can't be read" in error["sentence"]
    assert "Not readable: images/rose/0.png: " in error["sentence"]
    assert report["counts"] == {"rose": 2, "tulip": 1}
    assert report["skippedFiles"] == 1


def test_an_empty_folder_is_answered(programs: Programs) -> None:
    (programs.projects / "empty").mkdir()
    report = report_on(programs, programs.projects / "empty")
    assert (report["trainable"], codes(report, "error")) == (False, {"no_images"})


def test_a_zip_is_looked_into_and_not_unpacked(programs: Programs, tmp_path: Path) -> None:
    draw_classes(tmp_path / "set", {"rose": 20, "tulip": 20})
    project = programs.projects / "zipped"
    project.mkdir()
    shutil.make_archive(str(project / "flowers"), "zip", tmp_path / "set")
    report = report_on(programs, project)
    assert (report["trainable"], report["counts"]) == (True, {"rose": 20, "tulip": 20})
    assert [path.name for path in project.iterdir()] == ["flowers.zip"]


def test_pictures_with_masks_are_understood(programs: Programs) -> None:
    project = draw_pairs(programs.projects / "masks", 20)
    report = report_on(programs, project, trainType="segmentation")
    assert (report["trainable"], report["pictures"], report["findings"]) == (True, 20, [])
    as_classes = report_on(programs, project)
    assert as_classes["trainable"] is False


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"projectDir": "/etc"}, 403, "project_dir_not_allowed"),
        ({"projectDir": "nowhere"}, 400, "bad_fields"),
        ({"trainType": "sculpture"}, 400, "bad_fields"),
        ({"epochs": "0"}, 400, "bad_fields"),
        ({"dryRun": "perhaps"}, 400, "bad_fields"),
    ],
)
def test_bad_fields_are_refused_as_at_a_post(
    programs: Programs, changes: dict[str, str], status: int, code: str
) -> None:
    answer = check(programs, **changes)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert REFUSAL_CODES[code] == status


def test_the_call_is_a_post(programs: Programs) -> None:
    answer = programs.get("/v1/check")
    assert (answer.status, answer.body["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST, OPTIONS")


# ---- tokens ----


def test_a_users_token_checks_in_its_own_name_only(guarded: Programs) -> None:
    anna = guarded.make_token("anna", "--user", "anna")
    assert check(guarded, anna).status == 200
    for answer in (check(guarded, anna, userId="bert"), guarded.post(anna, userId="bert", dryRun="1")):
        assert (answer.status, answer.body["code"]) == (403, "user_not_allowed")
    assert check(guarded).body["code"] == "unauthorized"


def test_a_token_that_may_only_read_checks_nothing(guarded: Programs) -> None:
    """A check is work for the server, and shows a folder rather than a task."""
    looker = guarded.make_token("looker", "--read-only")
    for answer in (check(guarded, looker), guarded.post(looker, dryRun="1")):
        assert (answer.status, answer.body["code"]) == (403, "read_only_token")
