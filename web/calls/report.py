"""The call that sends a model's report, the only answer that is a web page.

The page lies in a stranger's folder. Its headers keep a browser from running anything in it, from sending anything for
it, and from taking it for a page of the site that passes it on.
"""

from __future__ import annotations

import logging
import os

from tornado.http1connection import HTTP1Connection

from protocol.project_layout import REPORT
from web.json_handler import JsonHandler

log = logging.getLogger("web")

#: A report needs its own styles and the pictures inside of it. `sandbox` makes its origin one that nobody else has.
CONTENT_SECURITY_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Disposition": f'inline; filename="{REPORT}"',
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ReportHandler(JsonHandler):
    """`/v1/tasks/<taskId>/report`: GET sends the report on the task's model."""

    async def get(self, task_id: str) -> None:
        entry = await self.find(task_id)
        reports = self.services.reports
        async with reports.opened(entry.task) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            for name, value in HEADERS.items():
                self.set_header(name, value)
            self.set_header("Content-Length", size_bytes)
            try:
                await self.flush()
                if self.request.method != "HEAD":
                    async for part in reports.parts(file, size_bytes):
                        self.write(part)
                        await self.flush()
            except OSError as error:  # also if the caller has gone
                # The headers have promised more, so all that is left is to end the connection.
                log.info("action=web.report_cut_short task=%s reason=%r", entry.task.task_id, str(error))
                assert isinstance(self.request.connection, HTTP1Connection)
                self.request.connection.close()
