"""Checks that take long, break, or look at a folder that changes: with a checker that does so when it is told."""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

from protocol.errors import REFUSAL_CODES
from protocol.task import TaskState
from tests.drawn_projects import draw_classes
from tests.socket.front_end import FORM, OneTaskBroker, exchange, front_end, task
from tests.waiting import TIMEOUT_S
from web.app import CHECKER
from web.broker_link.task_cache import TaskCache
from web.folder_check import FolderChecks

HEALTH = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
Seen = TypeVar("Seen")


def post(path: str, project: Path, **more: str) -> str:
    fields = {"userId": "a", "projectId": "p", "projectDir": str(project), "trainType": "classification", **more}
    body = urllib.parse.urlencode(fields)
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: {len(body)}\r\n\r\n{body}"


def with_checker(code: str, root: Path, use: Callable[[int], Awaitable[Seen]]) -> Seen:
    """What `use` gives, called with the port of a front-end whose checker runs this code."""

    async def run() -> Seen:
        checks = FolderChecks([sys.executable, "-c", code], [root], TIMEOUT_S)
        broker = OneTaskBroker(task("known", TaskState.DONE))
        async with front_end(broker, TaskCache(10), checks, WEB_DATA_ROOTS=str(root)) as port:
            return await asyncio.wait_for(use(port), TIMEOUT_S)

    return asyncio.run(run())


def waits_for_the_test(root: Path) -> str:
    """Code that writes its process id to one pipe, and then waits for the other."""
    os.mkfifo(root / "begun")
    os.mkfifo(root / "go")
    return (
        f"import os, pathlib; folder = pathlib.Path({str(root)!r})\n"
        "(folder / 'begun').write_text(str(os.getpid())); (folder / 'go').read_text(); print('{\"pictures\": 7}')"
    )


def test_the_front_end_goes_on_answering_while_a_folder_is_checked(tmp_path: Path) -> None:
    project = draw_classes(tmp_path / "flowers", {"rose": 2})

    async def use(port: int) -> tuple[Any, Any]:
        checking = asyncio.create_task(exchange(port, post("/v1/check", project)))
        await asyncio.to_thread((tmp_path / "begun").read_text)
        meanwhile = await exchange(port, HEALTH)
        await asyncio.to_thread((tmp_path / "go").write_text, "go")
        return meanwhile, await checking

    meanwhile, (status, report) = with_checker(waits_for_the_test(tmp_path), tmp_path, use)
    assert meanwhile == (200, {"status": "ok"})
    assert (status, report["pictures"]) == (200, 7)


def test_a_caller_who_goes_away_ends_the_check(tmp_path: Path) -> None:
    project = draw_classes(tmp_path / "flowers", {"rose": 2})

    async def use(port: int) -> tuple[bool, Any]:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post("/", project, dryRun="1").encode())
        checker = psutil.Process(int(await asyncio.to_thread((tmp_path / "begun").read_text)))
        writer.close()
        gone, _ = await asyncio.to_thread(psutil.wait_procs, [checker], TIMEOUT_S)
        return bool(gone), await exchange(port, HEALTH)

    ended, after = with_checker(waits_for_the_test(tmp_path), tmp_path, use)
    assert ended
    assert after == (200, {"status": "ok"})


def test_503_when_the_folder_could_not_be_checked(tmp_path: Path) -> None:
    project = draw_classes(tmp_path / "flowers", {"rose": 2})
    status, body = with_checker("1 / 0", tmp_path, lambda port: exchange(port, post("/v1/check", project)))
    assert (status, body["code"]) == (503, "check_failed")
    assert REFUSAL_CODES["check_failed"] == 503
    assert "post the task without a check" in body["error"]
    assert "ZeroDivisionError" not in str(body)


def test_a_folder_that_gives_way_to_a_link_is_not_looked_into(tmp_path: Path) -> None:
    project = draw_classes(tmp_path / "anna", {"rose": 2, "tulip": 2})
    neighbour = draw_classes(tmp_path / "bert", {"secret": 2, "tulip": 2})
    swaps_and_checks = (
        f"import os; os.rename({str(project)!r}, {str(tmp_path / 'away')!r})\n"
        f"os.symlink({str(neighbour)!r}, {str(project)!r}); os.execv({sys.executable!r}, {list(CHECKER)!r})"
    )
    use: Callable[[int], Awaitable[Any]] = lambda port: exchange(port, post("/v1/check", project))  # noqa: E731
    status, report = with_checker(swaps_and_checks, tmp_path, use)
    assert (status, report["trainable"]) == (200, False)
    assert [found["code"] for found in report["findings"]] == ["project_dir_changed"]
    assert "secret" not in str(report)
