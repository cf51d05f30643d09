"""A page in the browser that a test watches: what it says on the console, and whom it asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
#: Of what is in order, axe-core then describes one element for each rule, and not all of them.
VIOLATIONS_ALONE = {"resultTypes": ["violations"]}
THEMES = ("light", "dark")
#: A browser writes a line of its own for every answer of 400 and above, which says nothing about the page.
OF_THE_BROWSER = "Failed to load resource"


class WatchedPage:
    """A new page of a context. `check` fails if it wrote to the console or asked another server."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        """origin: of the server, such as "http://127.0.0.1:2333"."""
        self.page: Page = context.new_page()
        self.origin = origin
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, fragment: str = "") -> Page:
        """Show a view, such as "/now?state=failed"."""
        self.page.goto(f"{self.origin}/#{fragment}")
        return self.page

    def check(self) -> None:
        said = [text for text in self.said if OF_THE_BROWSER not in text]
        assert not said, f"the page wrote to the console: {said}"
        own = (f"{self.origin}/", "data:", f"blob:{self.origin}/")
        foreign = [url for url in self.asked if not url.startswith(own)]
        assert not foreign, f"the page asked others: {foreign}"

    def violations(self, options: Mapping[str, Any] | None = None) -> list[str]:
        """What axe-core finds wrong with the page as it is now: rule, element, and what to do. options: of axe.run."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        wanted = {**(options or {}), **VIOLATIONS_ALONE}
        found: dict[str, Any] = self.page.evaluate("(options) => axe.run(options)", wanted)
        return [
            f"{rule['id']}: {node['html'][:200]} ({json.dumps(node['any'] or node['all'] or node['none'])[:400]})"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
