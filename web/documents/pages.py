"""The documents that the front-end sends: the OpenAPI document, the pages that show it, and what these pages need."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt

from conf.settings import ROOT
from web.answers.refusal import JSON_TYPE
from web.answers.static_file import StaticFile
from web.documents.openapi import openapi_document
from web.route import Route

HTML_TYPE = "text/html; charset=utf-8"
CSS_TYPE = "text/css; charset=utf-8"
SCRIPT_TYPE = "text/javascript; charset=utf-8"

STATIC = Path(__file__).parent.parent / "static"
ERRORS = ROOT / "docs" / "errors.md"
SECTIONS = "<!-- the sections of docs/errors.md -->"
#: The files that pages may load, by the names in their URLs. There are no others.
ASSETS: Mapping[str, tuple[str, Path]] = {
    "swagger-ui-bundle.js": (SCRIPT_TYPE, STATIC / "vendor" / "swagger-ui" / "swagger-ui-bundle.js"),
    "swagger-ui.css": (CSS_TYPE, STATIC / "vendor" / "swagger-ui" / "swagger-ui.css"),
    "calls.css": (CSS_TYPE, STATIC / "docs" / "calls.css"),
    "calls.js": (SCRIPT_TYPE, STATIC / "docs" / "calls.js"),
    "page.css": (CSS_TYPE, STATIC / "docs" / "page.css"),
}


class Documents(msgspec.Struct, frozen=True):
    """openapi: the document. calls, errors: the pages. assets: by name."""

    openapi: StaticFile
    calls: StaticFile
    errors: StaticFile
    assets: Mapping[str, StaticFile]


def make_documents(routes: Iterable[Route]) -> Documents:
    encoded = msgspec.json.encode(openapi_document(routes))
    return Documents(
        openapi=StaticFile(JSON_TYPE, lambda: encoded),
        calls=StaticFile(HTML_TYPE, (STATIC / "docs" / "index.html").read_bytes),
        errors=StaticFile(HTML_TYPE, partial(error_page, ERRORS)),
        assets={name: StaticFile(media_type, path.read_bytes) for name, (media_type, path) in ASSETS.items()},
    )


def error_page(document: Path) -> bytes:
    """docs/errors.md as a page. The section of a code has the code as its id."""
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(document.read_text("utf-8"))
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", text.content.strip("`").lower().replace(" ", "-"))
    page = (STATIC / "docs" / "errors.html").read_text("utf-8")
    return page.replace(SECTIONS, markdown.renderer.render(tokens, markdown.options, {})).encode()
