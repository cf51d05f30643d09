"""What a website's back-end does: post a folder over HTTP, poll the task, cancel it. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from conf.web_settings import WebSettings

ANSWER_TIMEOUT_S = 10.0
#: The address at which a server is reached that listens on all addresses of a family.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}


class Website:
    def __init__(self, settings: WebSettings, token: str) -> None:
        """token: "" if the server needs none."""
        host = LOOPBACK.get(settings.host, settings.host)
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Calls to this machine must not go through a proxy from the environment.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """Returns the status and the JSON body; status 0 and an `error` if nobody answers."""
        data = urllib.parse.urlencode(fields).encode() if fields else None
        request = urllib.request.Request(self.address + path, data, self._headers, method=method)
        try:
            with self._opener.open(request, timeout=ANSWER_TIMEOUT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _body(error)
        except (OSError, ValueError) as error:
            return 0, {"error": f"nobody answers at {self.address} ({error})"}

    def ready(self) -> tuple[bool, str]:
        """Whether a task could be trained now, and if not, why."""
        status, body = self.call("GET", "/readyz")
        return status == 200, str(body.get("error", ""))

    def post(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        return self.call("POST", "/", fields)

    def task(self, task_id: str) -> tuple[int, dict[str, Any]]:
        """The whole task, with phase and ETA."""
        return self.call("GET", f"/v1/tasks/{task_id}")

    def cancel(self, task_id: str) -> tuple[int, dict[str, Any]]:
        return self.call("DELETE", f"/v1/tasks/{task_id}")


def _body(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        body = json.load(error)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"error": f"the answer was {error.code} {error.reason}"}
