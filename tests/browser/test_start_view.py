"""The view that starts a training: folders of the server, uploaded photos, the report, its cures and the form."""

from __future__ import annotations

import io
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, Route, expect

from tests.browser.given_files import drop, photo
from tests.browser.watched_page import WatchedPage
from tests.drawn_projects import draw_classes, draw_pairs
from tests.socket.programs import Programs

WIDE, PHONE = 1280, 360
HOSTILE = "<script>alert(1)<script>"
#: The browser shows it, and the server takes no such pictures.
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="9"/></svg>'
UNENCRYPTED = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("start-view")) as running:
        draw_classes(running.projects / "anna" / "flowers", {"rose": 20, "tulip": 20, HOSTILE: 20, "x" * 200: 20})
        draw_pairs(running.projects / "nuclei", 20)
        yield running


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": WIDE, "height": 900}, permissions=["camera"]) as context:
        yield context


def origin_of(programs: Programs) -> str:
    return f"http://127.0.0.1:{programs.ports['WEB_PORT']}"


def folder_step(folder: Path) -> str:
    return f"/start?folder={urllib.parse.quote(str(folder))}"


def large_photo(number: int) -> bytes:
    """More than one part of an upload."""
    file = io.BytesIO()
    Image.new("RGB", (800, 800), (number, 90, 90)).save(file, "bmp")
    return file.getvalue()


def payload(name: str, content: bytes, mime_type: str = "image/png") -> FilePayload:
    return {"name": name, "mimeType": mime_type, "buffer": content}


def card(page: Page, label: str) -> Locator:
    return page.get_by_role("listitem", name=label, exact=True)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def barriers(watched: WatchedPage) -> list[str]:
    """What axe finds in the light and in the dark. Colours that are still changing would be measured halfway."""
    watched.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    in_the_light = watched.violations()
    watched.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return in_the_light + watched.violations()


def is_asked_before_leaving(page: Page) -> None:
    """A reload would lose photos, so the browser asks the person, who stays."""
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def stands_in_the_page(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_folder_is_chosen_and_trained_on_by_keyboard_alone(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start")
    page.get_by_role("link", name=re.compile("^anna")).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("anna")
    expect(page.locator(".crumbs [aria-current]")).to_be_focused()
    page.get_by_role("link", name=re.compile("^flowers")).focus()
    page.keyboard.press("Backspace")
    expect(page.get_by_role("link", name=re.compile("^nuclei"))).to_be_visible()
    page.go_back()
    page.get_by_role("link", name=re.compile("^flowers")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("flowers")
    expect(page.locator(".crumbs [aria-current]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Use the folder flowers")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("This folder looks like photos sorted into classes.")).to_be_visible()
    expect(page.locator(".state.good")).to_contain_text("Ready to train. 80 photos in 4 classes")
    page.get_by_label("Name of the project").fill("spring")
    expect(page).to_have_url(re.compile("projectId=spring"))
    page.get_by_role("button", name="Start training").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/tasks/[0-9a-f]{32}$"))
    task = programs.get(f"/v1/tasks/{page.url.rpartition('/')[2]}").body
    assert (task["userId"], task["projectId"], task["trainType"]) == ("me", "spring", "classification")
    assert task["projectDir"] == str(programs.projects / "anna" / "flowers")
    watched.check()


def test_a_limit_reads_as_the_operator_has_set_it(context: BrowserContext, programs: Programs) -> None:
    """Settings that end in _mb count 2^20 bytes."""
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start")
    web = programs.settings.web
    expect(page.get_by_text(f"{web.max_upload_mb} MB for one photo")).to_be_visible()
    watched.check()


def test_folders_have_no_barriers_and_stand_on_a_phone(chromium: Browser, programs: Programs) -> None:
    with chromium.new_context(viewport={"width": PHONE, "height": 800}) as context:
        watched = WatchedPage(context, origin_of(programs))
        page = watched.open(f"/start?at={programs.projects}/anna/flowers/images")
        expect(page.locator(".previews img").first).to_be_visible()
        assert barriers(watched) == []
        assert stands_in_the_page(page)
        watched.open(folder_step(programs.projects / "anna" / "flowers"))
        expect(page.get_by_role("button", name="Start training")).to_be_enabled()
        expect(page.locator(".counts").get_by_text(HOSTILE)).to_be_visible()
        assert barriers(watched) == []
        assert stands_in_the_page(page)
        watched.check()


def test_the_guess_is_said_and_another_choice_says_what_is_missing(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open(folder_step(programs.projects / "nuclei"))
    expect(page.get_by_text("This folder looks like photos with masks.")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    page.get_by_role("radio", name="Name what a photo shows").check()
    expect(page.get_by_text("This cannot be trained yet.")).to_be_visible()
    expect(page.locator(".finding").first).to_contain_text("must be solved")
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    page.reload()
    expect(page.get_by_role("radio", name="Name what a photo shows")).to_be_checked()
    watched.check()


def test_refusals_stand_at_their_fields(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open(folder_step(programs.projects / "anna" / "flowers"))
    page.get_by_label("Your name").fill("")
    expect(page.get_by_label("Your name")).to_have_value("")
    page.get_by_label("Your name").fill("an\u0007na")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("alert")).to_contain_text("userId")
    expect(page.get_by_label("Your name")).to_have_attribute("aria-invalid", "true")
    assert watched.violations() == []
    watched.check()


def test_an_option_of_a_number_or_a_word_takes_both(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open(folder_step(programs.projects / "nuclei"))
    page.get_by_text("More settings").click()
    tiles = page.get_by_label("Tiles of each photo")
    expect(tiles).to_have_value("auto")
    tiles.fill("many")
    page.get_by_role("button", name="Start training").click()
    expect(tiles).to_have_attribute("aria-invalid", "true")
    tiles.fill("4")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile("#/tasks/[0-9a-f]{32}$"))
    assert programs.get(f"/v1/tasks/{page.url.rpartition('/')[2]}").body["options"] == {"tiles": 4}
    watched.check()


def test_a_folder_that_is_not_there_or_not_allowed_is_explained(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open(folder_step(programs.projects / "nowhere"))
    expect(page.get_by_role("alert")).to_contain_text("is not an existing folder")
    expect(page.get_by_role("button", name="Start training")).to_have_count(0)
    watched.open("/start?at=/etc")
    expect(page.get_by_role("alert")).to_contain_text("/etc")
    expect(page.get_by_role("button", name="Use the folder")).to_have_count(0)
    page.get_by_label("Where you are").get_by_role("link", name="projects").click()
    expect(page.get_by_role("link", name=re.compile("^nuclei"))).to_be_visible()
    watched.check()


def test_a_finding_is_cured_with_a_click_and_the_cure_taken_back(context: BrowserContext, programs: Programs) -> None:
    project = draw_classes(programs.projects / "damaged", {"rose": 20, "tulip": 20})
    broken = project / "images" / "rose" / "0.png"
    broken.write_bytes(b"no picture")
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open(folder_step(project))
    page.get_by_role("button", name="Leave this one out").click()
    expect(page.get_by_text("One photo: left out of trainings.")).to_be_visible()
    expect(page.get_by_role("button", name="Leave this one out")).to_have_count(0)
    assert "images/rose/0.png,exclude" in (project / "corrections.csv").read_text()
    assert broken.exists()
    assert watched.violations() == []
    page.reload()
    expect(page.get_by_text("One correction of yours")).to_be_visible()
    page.get_by_text("One correction of yours").click()
    page.get_by_role("button", name="Take back what was said of images/rose/0.png").click()
    expect(page.get_by_text("One photo: again as in the folder.")).to_be_visible()
    page.get_by_label("Move to class …").select_option("tulip")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("One photo: counted as tulip.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Leave this one out")).to_be_visible()
    expect(page.get_by_text("One correction of yours")).to_have_count(0)
    watched.check()


def test_dropped_photos_are_uploaded_by_class(chromium: Browser, programs: Programs) -> None:
    with chromium.new_context(viewport={"width": PHONE, "height": 800}) as context:
        watched = WatchedPage(context, origin_of(programs))
        page = watched.open("/start")
        page.get_by_role("button", name="Begin with empty classes").click()
        page.get_by_label("Name of the project").fill("dropped")
        card(page, "Class 1").get_by_label("Name of the class").fill(HOSTILE)
        more = (("again.png", photo(0)[1]), ("notes.txt", b"text"))
        drop(card(page, HOSTILE).get_by_role("group"), *map(photo, range(4)), *more)
        drop(card(page, "Class 2").get_by_role("group"), *map(photo, range(10, 14)))
        expect(page.get_by_text("One file is left out")).to_be_visible()
        expect(card(page, HOSTILE).locator("img")).to_have_count(5)
        assert barriers(watched) == []
        assert stands_in_the_page(page)
        page.get_by_role("button", name="Upload 9 photos").click()
        expect(page.get_by_text("8 photos uploaded · one was there already")).to_be_visible()
        expect(page.get_by_text("Ready to train. 8 photos in 2 classes")).to_be_visible()
        assert barriers(watched) == []
        project = programs.projects / "uploads" / "me" / "dropped"
        assert names_in(project / "Class 2") == ["10.png", "11.png", "12.png", "13.png"]
        assert len(names_in(project / HOSTILE)) == 4
        watched.check()


def test_a_folder_of_folders_becomes_classes_and_a_reload_skips_what_is_stored(
    context: BrowserContext, programs: Programs, tmp_path: Path
) -> None:
    mine = draw_classes(tmp_path / "pets", {"cat": 3, "dog": 3})
    (mine / "images" / "beside.png").write_bytes(photo(99)[1])
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start")
    page.locator("input[webkitdirectory]").set_input_files(mine)
    expect(page.get_by_label("Name of the project")).to_have_value("pets")
    expect(card(page, "cat").locator("img")).to_have_count(3)
    card(page, "cat").get_by_label("Name of the class").fill("cats/and dogs")
    expect(page.get_by_text("The name becomes a folder")).to_be_visible()
    expect(page.get_by_role("button", name="Upload 6 photos")).to_be_disabled()
    page.get_by_label("Name of the class").first.fill("cat")
    page.get_by_text("One file is left out").click()
    expect(page.get_by_text("pets/images/beside.png")).to_be_visible()
    card(page, "dog").get_by_role("button", name="Remove 2.png").click()
    page.get_by_role("button", name="Upload 5 photos").click()
    expect(page.get_by_text("5 photos uploaded")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_text("5 photos are in this project already.")).to_be_visible()
    page.locator("input[webkitdirectory]").set_input_files(mine)
    expect(card(page, "dog")).to_contain_text("2 on the server before")
    page.get_by_role("button", name="Upload 6 photos").click()
    expect(page.get_by_text("one photo uploaded · 5 were there already")).to_be_visible()
    watched.check()


def test_an_upload_goes_on_after_the_server_was_away(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start/upload?projectId=cut")
    photos = {f"{number}.bmp": large_photo(number) for number in range(3)}
    for label, (name, content) in zip(("a", "b", "c"), photos.items(), strict=True):
        page.get_by_role("button", name="Add a class").click()
        page.get_by_label("Name of the class").last.fill(label)
        page.locator(".class-card input[type=file]").last.set_input_files(payload(name, content, "image/bmp"))
    second_parts: list[str] = []

    def kill_at_a_second_part(route: Route) -> None:
        if route.request.headers.get("upload-offset", "0") != "0" and not second_parts:
            second_parts.append(route.request.url)
            programs.kill("web")
        route.continue_()

    page.route("**/v1/uploads/*", kill_at_a_second_part)
    page.get_by_role("button", name="Upload 3 photos").click()
    expect(page.get_by_text("The upload goes on by itself as soon as it does.")).to_be_visible()
    assert watched.violations() == []
    programs.start("web")
    expect(page.get_by_text("3 photos uploaded")).to_be_visible()
    project = programs.projects / "uploads" / "me" / "cut"
    assert {path.name: path.read_bytes() for path in project.glob("*/*.bmp")} == photos
    watched.check()


def test_an_upload_can_be_paused_and_tells_what_was_not_taken(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start/upload?projectId=paused")
    page.locator(".drop-place input:not([webkitdirectory])").first.set_input_files(
        [
            payload(*photo(1)),
            payload("drawing.png", DRAWING, "image/svg+xml"),
        ]
    )
    is_asked_before_leaving(page)
    held: list[Route] = []
    page.route("**/v1/uploads/*", lambda route: held.append(route))
    page.get_by_role("button", name="Upload 2 photos").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    is_asked_before_leaving(page)
    page.get_by_role("button", name="Pause").click()
    is_asked_before_leaving(page)
    page.unroute("**/v1/uploads/*")
    page.get_by_role("button", name="End the upload").click()
    expect(page.get_by_role("dialog")).to_contain_text("No photo is on the server yet.")
    page.get_by_role("button", name="Leave it as it is").click()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("drawing.png: drawing.png does not begin as a")).to_be_visible()
    assert watched.violations() == []
    page.get_by_role("button", name="Begin a new project").click()
    expect(page.get_by_role("dialog")).to_contain_text("Begin a new project?")
    page.get_by_role("button", name="Leave it as it is").click()
    page.get_by_role("button", name="Check the photos").click()
    expect(page.get_by_text("This cannot be trained yet.")).to_be_visible()
    watched.check()


def test_the_camera_fills_a_class_while_space_is_held(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    page = watched.open("/start")
    page.get_by_role("button", name="Begin with empty classes").click()
    first = card(page, "Class 1")
    first.get_by_role("button", name="Use the camera").click()
    shutter = first.get_by_role("button", name="Hold to take photos of Class 1")
    expect(shutter).to_be_enabled()
    shutter.focus()
    page.keyboard.down(" ")
    # Its number may pass between two looks, but the third photo stays.
    expect(first.locator(".file-pictures img").nth(2)).to_be_visible()
    expect(first).to_contain_text(" photos")
    page.keyboard.up(" ")
    expect(shutter).to_have_attribute("aria-pressed", "false")
    assert watched.violations() == []
    first.get_by_role("button", name="Close the camera").click()
    expect(page.locator("video")).to_have_count(0)
    watched.check()


def test_a_page_without_a_camera_says_why(context: BrowserContext, programs: Programs) -> None:
    watched = WatchedPage(context, origin_of(programs))
    watched.page.add_init_script(UNENCRYPTED)
    page = watched.open("/start")
    page.get_by_role("button", name="Begin with empty classes").click()
    card(page, "Class 1").get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("alert")).to_contain_text("https")
    watched.check()


def test_what_may_not_be_uploaded_is_said_with_what_to_do(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("no-uploads")
    with Programs(folder, WEB_UPLOADS="false", HOME=folder / "state") as guarded, chromium.new_context() as context:
        watched = WatchedPage(context, origin_of(guarded))
        page = watched.open("/start")
        expect(page.get_by_text("This server takes no uploads.")).to_be_visible()
        assert barriers(watched) == []
        token = guarded.run("server.py", "token", "create", "reader", "--read-only").stdout.split()[-1]
        page.reload()
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("may only look")).to_be_visible()
        assert barriers(watched) == []
        watched.check()
