"""The page at `/`, its files, `/openapi.json` and `/docs`: what people and programs read about this server."""

from __future__ import annotations

import asyncio

from web.answers.accept import takes_gzip
from web.answers.refusal import Refusal
from web.answers.static_file import StaticFile
from web.json_handler import JsonHandler

#: The pages load scripts, styles and data from this server alone, and nothing that stands inside of a page runs.
#: "blob:" is for pictures that a person has chosen and that are shown before they are sent.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(self)",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
#: A browser keeps the file and asks each time whether it is still the same.
ASK_AGAIN = "no-cache"
#: A browser keeps the file for a year and does not ask again, because a changed file has another address.
KEEP = "public, max-age=31536000, immutable"


class DocumentHandler(JsonHandler):
    """The base of the calls that send a file of the program. They hold no secrets, so they need no token."""

    needs_token = False

    async def send_file(self, file: StaticFile, keep: str = ASK_AGAIN) -> None:
        """keep: the header Cache-Control."""
        compress = takes_gzip(self.request.headers.get("Accept-Encoding", ""))
        content = file.kept(compress)
        if content is None:
            content = await asyncio.to_thread(lambda: file.compressed if compress else file.content)
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", keep)
        self.set_header("Content-Type", file.media_type)
        self.set_header("ETag", f'"{file.sha256}{"-gzip" if compress else ""}"')
        self.add_header("Vary", "Accept-Encoding")
        if self.check_etag_header():
            self.set_status(304)
            self.clear_header("Content-Type")
            self.finish()
            return
        if compress:
            self.set_header("Content-Encoding", "gzip")
        self.finish(content)


class OpenApiHandler(DocumentHandler):
    """`/openapi.json`: the OpenAPI document."""

    async def get(self) -> None:
        await self.send_file(self.services.documents.openapi)


class CallsPageHandler(DocumentHandler):
    """`/docs`: the page that shows the document and can make calls."""

    async def get(self) -> None:
        await self.send_file(self.services.documents.calls)


class ErrorsPageHandler(DocumentHandler):
    """`/docs/errors`: what each error code means."""

    async def get(self) -> None:
        await self.send_file(self.services.documents.errors)


class StaticHandler(DocumentHandler):
    """`/static/<version>/<name>`: the scripts and styles of these pages."""

    async def get(self, version: str, name: str) -> None:
        static = self.services.documents.static
        file = static.get(name)
        if file is None:
            raise Refusal("unknown_path", f"There is nothing at {self.request.path[:200]}.")
        # A page that was opened before an update asks for the version of that time and gets the newest file.
        await self.send_file(file, KEEP if version == static.version else ASK_AGAIN)
