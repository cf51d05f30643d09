"""GET and POST /v1/corrections at a real front-end: what is written, what a check makes of it, and what is refused."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.drawn_projects import draw_classes
from tests.socket.programs import FORM_HEADERS, Answer, Programs

JSON_HEADERS = {"Content-Type": "application/json"}
MOVE = {"picture": "images/rose/0.png", "action": "label", "label": "tulip"}
EXCLUDE = {"picture": "images/rose/1.png", "action": "exclude"}
KEEP = {"picture": "images/tulip/2.png", "action": "keep"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("corrections")) as running:
        yield running


@pytest.fixture
def project(programs: Programs, request: pytest.FixtureRequest) -> Path:
    return draw_classes(programs.projects / request.node.name[:60], {"rose": 4, "tulip": 3})


def change(programs: Programs, project: Path | str, *changes: dict[str, Any], **fields: Any) -> Answer:
    body = {"userId": "anna", "projectId": "p", "projectDir": str(project), "changes": changes, **fields}
    return programs.call("POST", "/v1/corrections", json.dumps(body).encode(), JSON_HEADERS)


def read(programs: Programs, project: Path | str, **more: str) -> Answer:
    query = urllib.parse.urlencode({"userId": "anna", "projectDir": str(project), **more})
    return programs.get(f"/v1/corrections?{query}")


def check(programs: Programs, project: Path) -> dict[str, Any]:
    fields = {"userId": "anna", "projectId": "p", "projectDir": str(project), "trainType": "classification"}
    return programs.call("POST", "/v1/check", urllib.parse.urlencode(fields).encode(), FORM_HEADERS).body


def test_a_change_is_in_the_file_in_the_answer_and_in_the_next_check(programs: Programs, project: Path) -> None:
    assert read(programs, project).body == {"projectDir": str(project), "corrections": [], "problems": []}
    answer = change(programs, project, MOVE, EXCLUDE, KEEP)
    assert answer.status == 200, answer
    assert answer.body["corrections"] == [MOVE, {**EXCLUDE, "label": ""}, {**KEEP, "label": ""}]
    assert read(programs, project).body == answer.body
    assert (project / "corrections.csv").read_text() == (
        "picture,action,label\nimages/rose/0.png,label,tulip\nimages/rose/1.png,exclude,\nimages/tulip/2.png,keep,\n"
    )
    report = check(programs, project)
    assert (report["counts"], report["pictures"], report["skippedFiles"]) == ({"rose": 2, "tulip": 4}, 6, 1)
    assert [found["sentence"] for found in report["findings"] if found["code"] == "corrections"] == [
        "corrections.csv leaves out 1 picture, moves 1 picture to another class and confirms 1 picture."
    ]
    back = change(programs, project, *({"picture": one["picture"], "action": "none"} for one in (MOVE, EXCLUDE, KEEP)))
    assert back.body["corrections"] == []
    assert sorted(path.name for path in project.iterdir()) == ["images"]


def test_changes_of_many_callers_at_once_are_all_kept(programs: Programs, project: Path) -> None:
    pictures = [f"images/rose/{number}.png" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda name: change(programs, project, {"picture": name, "action": "keep"}).status, pictures)
        assert set(made) == {200}
    assert {one["picture"] for one in read(programs, project).body["corrections"]} == set(pictures)


def test_what_a_person_has_written_stays_and_what_cannot_be_understood_is_said(
    programs: Programs, project: Path
) -> None:
    by_hand = "Picture;Note;Action;Label\r\nimages/rose/0.png;blurred;Exclude;\r\n???;;;\r\n"
    (project / "corrections.csv").write_bytes(f"\ufeff{by_hand}".encode())
    answer = change(programs, project, KEEP, MOVE, {**MOVE, "action": "none", "label": ""})
    assert answer.body["problems"] == ["line 3 has no action; write label, exclude or keep"]
    assert [one["picture"] for one in answer.body["corrections"]] == ["images/tulip/2.png"]
    assert (project / "corrections.csv").read_bytes().decode("utf-8-sig") == (
        "Picture;Note;Action;Label\r\n???;;;\r\nimages/tulip/2.png;;keep;\r\n"
    )


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"changes": []}, {"changes"}),
        ({"changes": [KEEP, {"picture": "a.jpg", "action": "delete"}]}, {"changes[1].action"}),
        ({"changes": [{"picture": "a.jpg"}]}, {"changes[0]"}),
        ({"changes": [{"picture": "a.jpg", "action": "label"}]}, {"changes[0].label"}),
        (
            {"changes": [{"picture": "a.jpg", "action": "label"}, KEEP, {**KEEP, "label": "cat"}], "projectDir": "x"},
            {"changes[0].label", "changes[2].label", "projectDir"},
        ),
        ({"changes": [{"picture": "\0", "action": "keep"}]}, {"changes[0].picture"}),
        ({"changes": [{"picture": " ", "action": "keep"}]}, {"changes[0].picture"}),
        ({"changes": [{"picture": str(number), "action": "keep"} for number in range(501)]}, {"changes"}),
        ({"projectDir": "nowhere"}, {"projectDir"}),
        ({"projectDir": "a\0b"}, {"projectDir"}),
        ({"projectId": ""}, {"projectId"}),
        ({"remark": "x"}, {"remark"}),
    ],
)
def test_bad_fields_are_named(programs: Programs, body: dict[str, Any], fields: set[str]) -> None:
    answer = change(programs, "anna/flowers", KEEP, **body)
    assert (answer.status, answer.body["code"], answer.body["fields"].keys()) == (400, "bad_fields", fields), answer
    assert not (programs.projects / "anna" / "flowers" / "corrections.csv").exists()


def test_a_folder_elsewhere_is_refused_in_both_calls(programs: Programs, tmp_path: Path) -> None:
    for answer in (read(programs, tmp_path), change(programs, tmp_path, KEEP)):
        assert (answer.status, answer.body["code"]) == (403, "project_dir_not_allowed"), answer
    assert not list(tmp_path.iterdir())


def test_the_worker_s_own_folders_are_no_project(programs: Programs, project: Path) -> None:
    (project / "models").mkdir()
    assert change(programs, project / "models", KEEP).status == 400
    assert not list((project / "models").iterdir())


def test_a_file_that_is_no_list_of_corrections_is_kept_as_it_is(programs: Programs, project: Path) -> None:
    (project / "corrections.csv").write_text("image,label\n1.jpg,cat\n")
    for answer in (read(programs, project), change(programs, project, KEEP)):
        assert (answer.status, answer.body["code"]) == (409, "corrections_unusable")
        assert "its first line must be picture,action,label" in answer.body["error"]
    assert (project / "corrections.csv").read_text() == "image,label\n1.jpg,cat\n"
