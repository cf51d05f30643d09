"""All paths that are not in the table."""

from __future__ import annotations

from web.json_handler import JsonHandler


class UnknownPathHandler(JsonHandler):
    """Every method is answered with 404."""

    needs_token = False

    def prepare(self) -> None:
        super().prepare()
        self.send_error(404)
