"""Files that a person drops into the page. Playwright itself can only choose files."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.prediction_projects import plain

DROP = """(element, files) => {
    const given = new DataTransfer();
    for (const [name, bytes] of files) given.items.add(new File([new Uint8Array(bytes)], name));
    element.dispatchEvent(new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true}));
}"""


def drop(place: Locator, *files: tuple[str, bytes]) -> None:
    """files: the name and content of each."""
    place.evaluate(DROP, [[name, list(content)] for name, content in files])


def photo(number: int) -> tuple[str, bytes]:
    """The name and the content of a small picture. Each number gives another one."""
    return f"{number}.png", plain((number * 7 % 256, number % 256, 90)).content
