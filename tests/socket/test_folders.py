"""Browsing the data roots and looking at pictures, at a real front-end with real runtime processes."""

from __future__ import annotations

import os
import socket
import struct
import urllib.parse
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.security.raw_http import RawAnswer
from tests.socket.browsing import draw, listed, look, shown
from tests.socket.programs import Programs


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("folders")
    other = folder / "more"
    other.mkdir()
    with Programs(folder, WEB_DATA_ROOTS=f"{folder / 'projects'},{other}") as running:
        yield running


def check(answer: RawAnswer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer


def test_a_caller_that_goes_away_is_no_error(programs: Programs) -> None:
    picture = draw(programs.projects / "gone" / "1.png", (1000, 1000))
    Image.effect_noise((1000, 1000), 90).save(picture)
    address = "127.0.0.1", programs.ports["WEB_PORT"]
    path = f"/v1/thumbnails?size=1024&path={urllib.parse.quote(str(picture))}"
    for _ in range(60):
        with socket.create_connection(address) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends it by a reset
            caller.sendall(f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode() * 2)
    assert look(programs, "thumbnails", path=picture, size=1024).status == 200
    assert "web.error" not in programs.log_of("web")


# ---- folders ----


def test_the_data_roots_are_at_the_top(programs: Programs) -> None:
    draw(programs.folder / "more" / "plants" / "1.jpg")

    top = listed(programs)

    assert (top["path"], top["parent"], top["pictures"], top["next"]) == ("", None, [], "")
    assert [folder["path"] for folder in top["folders"]] == [str(programs.projects), str(programs.folder / "more")]
    more = top["folders"][1]
    assert (more["name"], more["pictures"], more["folders"], more["more"]) == ("more", 0, 1, False)
    inside = listed(programs, more["path"])
    assert (inside["parent"], [folder["name"] for folder in inside["folders"]]) == ("", ["plants"])
    assert listed(programs, inside["folders"][0]["path"])["parent"] == more["path"]


def test_a_folder_shows_what_a_training_would_use(programs: Programs) -> None:
    project = programs.projects / "ben" / "flowers"
    for name in ("roses/1.jpg", "roses/2.PNG", "Daisies/1.jpg", ".hidden/1.jpg", "@eaDir/1.jpg", "models/1/a.jpg"):
        draw(project / name)
    for name in ("1.jpg", "notes.txt", "photos.zip", ".DS_Store", "Thumbs.db"):
        (project / name).write_bytes(b"12345")
    (project / "linked").symlink_to(project / "roses")
    (project / "linked.jpg").symlink_to(project / "1.jpg")
    (project / ".tfmodel").mkdir()
    (project / os.fsdecode(b"no-utf8-\xff.jpg")).write_bytes(b"x")
    os.mkfifo(project / "pipe.jpg")

    found = listed(programs, project)

    assert [(each["name"], each["pictures"], each["folders"]) for each in found["folders"]] == [
        ("Daisies", 1, 0),
        ("roses", 2, 0),
    ]
    assert found["pictures"] == [{"name": "1.jpg", "path": f"{project}/1.jpg", "sizeBytes": 5}]
    assert (found["otherFiles"], found["cutOff"], found["next"]) == (6, False, "")


def test_a_large_folder_comes_page_by_page(programs: Programs) -> None:
    folder = programs.projects / "cleo" / "many"
    for number in range(7):
        (folder / f"class-{number}").mkdir(parents=True)
        (folder / f"{number}.jpg").write_bytes(b"x")
    names, cursor = [], None
    while cursor != "":
        page = listed(programs, folder, cursor=cursor, limit=3)
        names += [each["name"] for each in (*page["folders"], *page["pictures"])]
        assert len(page["folders"]) + len(page["pictures"]) <= 3
        cursor = page["next"]

    assert names == [*(f"class-{number}" for number in range(7)), *(f"{number}.jpg" for number in range(7))]


@pytest.mark.door(25)
def test_what_is_no_folder_is_refused_with_a_sentence(programs: Programs) -> None:
    draw(programs.projects / "dora" / "1.jpg")
    (programs.projects / "dora" / "away").symlink_to("/etc")
    for path, code, words in (
        ("/etc", "path_not_allowed", str(programs.projects)),
        (f"{programs.projects}/../..", "path_not_allowed", "absolute path"),
        ("dora", "path_not_allowed", "absolute path"),
        (f"{programs.projects}/none", "no_folder", "does not exist"),
        (f"{programs.projects}/{'x' * 300}", "no_folder", "does not exist"),
        (f"{programs.projects}/dora/away", "no_folder", "link"),
        (f"{programs.projects}/dora/away/ssl", "no_folder", "link"),
        (f"{programs.projects}/dora/1.jpg", "no_folder", "link or is no folder"),
        (f"{programs.projects}/dora/.tfmodel", "no_folder", "TFModel keeps"),
    ):
        answer = look(programs, "folders", path=path)
        assert (answer.code, words in answer.json()["error"]) == (code, True), (path, answer)
    check(look(programs, "folders", path="a\0b"), 403, "path_not_allowed")
    check(look(programs, "folders", limit=0), 400, "bad_fields")


# ---- thumbnails ----


def test_a_thumbnail_is_small_upright_and_kept_by_browsers(programs: Programs) -> None:
    picture = draw(programs.projects / "ella" / "sideways.jpg", (400, 200), "blue", turn=6)

    answer = look(programs, "thumbnails", path=picture)

    assert shown(answer).size == (80, 160)
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    etag = answer.headers["etag"]
    again = look(programs, "thumbnails", f"If-None-Match: {etag}", path=picture)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    larger = look(programs, "thumbnails", path=picture, size=1024)
    assert shown(larger).size == (200, 400)  # never enlarged
    assert larger.headers["etag"] != etag
    draw(picture, (100, 100), "green")
    changed = look(programs, "thumbnails", f"If-None-Match: {etag}", path=picture)
    assert shown(changed).size == (100, 100)


def test_what_is_no_picture_is_refused_with_a_sentence(programs: Programs) -> None:
    folder = programs.projects / "fred"
    draw(folder / "good.jpg")
    (folder / "text.jpg").write_text("no picture at all")
    for name, status, code in (
        ("text.jpg", 422, "bad_picture"),
        ("none.jpg", 404, "no_picture"),
        ("photos.zip/1.jpg", 404, "no_picture"),
        ("", 404, "no_picture"),
    ):
        check(look(programs, "thumbnails", path=folder / name), status, code)
    check(look(programs, "thumbnails", path="/etc/passwd"), 403, "path_not_allowed")
    check(look(programs, "thumbnails", path=folder / "good.jpg", size=5000), 400, "bad_fields")
    check(look(programs, "thumbnails"), 400, "bad_fields")


@pytest.mark.door(25)
def test_pictures_of_a_task_are_named_as_in_its_report(programs: Programs) -> None:
    project = programs.projects / "gina" / "flowers"
    draw(project / "roses" / "a rose ü.jpg", (640, 480))
    draw(project / "models" / "x" / "1.jpg")
    draw(programs.projects / "gina" / "other.jpg")
    (project / "link.jpg").symlink_to(project.parent / "other.jpg")
    task_id = programs.post_id(userId="gina", projectDir="gina/flowers")

    assert shown(look(programs, f"tasks/{task_id}/pictures/roses/a rose ü.jpg")).size == (320, 240)
    for name in ("none.jpg", "models/x/1.jpg", "link.jpg", "../other.jpg", "/etc/passwd", "roses", "x" * 5000):
        check(look(programs, f"tasks/{task_id}/pictures/{name}"), 404, "no_picture")
    project.rename(project.with_name("before"))
    draw(project / "roses" / "a rose ü.jpg")
    check(look(programs, f"tasks/{task_id}/pictures/roses/a rose ü.jpg"), 404, "no_picture")


def test_many_thumbnails_come_while_a_browser_waits(programs: Programs) -> None:
    folder = programs.projects / "hugo"
    for number in range(40):
        draw(folder / f"{number}.jpg", (200, 100 + number))

    for number in range(40):
        with Image.open(folder / f"{number}.jpg") as original:
            size = original.size
        image = shown(look(programs, "thumbnails", path=folder / f"{number}.jpg", size=64))
        assert image.size == (64, round(size[1] * 64 / 200)), number


# ---- tokens: the last tests, because from here on every call needs one ----


@pytest.mark.door(25)
def test_a_token_of_one_user_sees_only_what_that_user_has_uploaded(programs: Programs) -> None:
    everybody = f"Authorization: {programs.make_token('website', '--read-only')['Authorization']}"
    anna = f"Authorization: {programs.make_token('anna', '--user', 'anna')['Authorization']}"
    odd = f"Authorization: {programs.make_token('odd', '--user', '../x')['Authorization']}"
    theirs = draw(programs.projects / "anna" / "flowers" / "1.jpg")
    assert listed(programs, "", anna)["folders"] == []
    own = draw(programs.projects / "uploads" / "anna" / "p" / "roses" / "1.jpg")
    bens = draw(programs.projects / "uploads" / "ben" / "p" / "1.jpg")

    top = listed(programs, "", anna)
    assert (top["path"], top["parent"]) == (str(own.parent.parent.parent), None)
    assert [folder["name"] for folder in top["folders"]] == ["p"]
    assert listed(programs, top["folders"][0]["path"], anna)["parent"] == top["path"]
    assert shown(look(programs, "thumbnails", anna, path=own))
    for path in (theirs, bens, programs.projects, programs.projects / "uploads"):
        check(look(programs, "folders", anna, path=path.parent), 403, "path_not_allowed")
        check(look(programs, "thumbnails", anna, path=path), 403, "path_not_allowed")
    assert listed(programs, "", odd)["folders"] == []
    check(look(programs, "folders", odd, path=own.parent), 403, "path_not_allowed")
    assert shown(look(programs, "thumbnails", everybody, path=bens))
    check(look(programs, "thumbnails", path=own), 401, "unauthorized")
