"""Sends files of project folders.

The files lie in strangers' folders. The headers keep a browser from running anything in them, from sending anything for
them, and from taking them for pages of the site that passes them on.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType

from tornado.http1connection import HTTP1Connection

from web.json_handler import JsonHandler

log = logging.getLogger("web")

#: `sandbox` makes the origin of a page one that nobody else has, and lets it run nothing.
SANDBOX = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": SANDBOX,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class FileHandler(JsonHandler):
    """The base of the calls that send a file."""

    def set_file_headers(self, headers: Mapping[str, str]) -> None:
        """The headers of every file, and those of this one."""
        for name, value in {**_HEADERS, **headers}.items():
            self.set_header(name, value)

    def send_not_modified(self, etag: str) -> None:
        """The caller has the file already."""
        self.set_header("ETag", etag)
        self.clear_header("Content-Type")
        self.set_status(304)

    async def send_parts(
        self,
        task_id: str,
        parts: AsyncGenerator[bytes, None],
        size_bytes: int | None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send the headers, and then one part after the other as the caller takes them.

        size_bytes: of all parts; None if it is not known. If the parts raise OSError, or the caller has gone, the
        connection is ended. The headers have promised more by then, so the caller sees that something is missing.
        """
        self.set_file_headers(headers)
        if size_bytes is not None:
            self.set_header("Content-Length", size_bytes)
        try:
            await self.flush()
            if self.request.method != "HEAD":
                async with contextlib.aclosing(parts):
                    async for part in parts:
                        self.write(part)
                        await self.flush()
        except OSError as error:
            log.info("action=web.file_cut_short task=%s route=%s reason=%r", task_id, self.route, str(error))
            assert isinstance(self.request.connection, HTTP1Connection)
            self.request.connection.close()
