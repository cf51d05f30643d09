"""The documents that the front-end sends: the OpenAPI document, the pages that show it, and what these pages need."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt

from conf.settings import ROOT
from web.answers.refusal import JSON_TYPE
from web.answers.static_file import StaticFile
from web.documents.openapi import openapi_document
from web.documents.static_files import HTML_TYPE, StaticFiles
from web.route import Route

ERRORS = ROOT / "docs" / "errors.md"
SECTIONS = "<!-- the sections of docs/errors.md -->"


class Documents(msgspec.Struct, frozen=True):
    """openapi: the document. page: the page for people at `/`. calls, errors: the pages below `/docs`.

    static: the files that these pages load.
    """

    openapi: StaticFile
    page: StaticFile
    calls: StaticFile
    errors: StaticFile
    static: StaticFiles


def make_documents(routes: Iterable[Route]) -> Documents:
    encoded = msgspec.json.encode(openapi_document(routes))
    static = StaticFiles()
    return Documents(
        openapi=StaticFile(JSON_TYPE, lambda: encoded),
        page=StaticFile(HTML_TYPE, partial(static.html, "page/index.html")),
        calls=StaticFile(HTML_TYPE, partial(static.html, "docs/index.html")),
        errors=StaticFile(HTML_TYPE, lambda: error_page(ERRORS, static.html("docs/errors.html").decode())),
        static=static,
    )


def error_page(document: Path, frame: str) -> bytes:
    """docs/errors.md as a page. The section of a code has the code as its id. frame: the page around the sections."""
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(document.read_text("utf-8"))
    for heading, text in itertools.pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", text.content.strip("`").lower().replace(" ", "-"))
    return frame.replace(SECTIONS, markdown.renderer.render(tokens, markdown.options, {})).encode()
