"""Follows a task to its end. On a terminal, Ctrl-C asks what should become of the task."""

from __future__ import annotations

import sys

from service.exit_codes import ExitCode
from service.progress_display import display_for
from service.screen import Screen
from service.task_result import show_result
from tfmodel_client import Client, TFModelError
from tfmodel_client.types import Event, Task

EXIT_CODES = {"done": ExitCode.OK, "failed": ExitCode.FAILED, "cancelled": ExitCode.CANCELLED}
#: Events are missing because the server does not keep them any more, so the end of the task may be among them.
MISSED = "reset"
QUESTION = """
The training goes on while you decide:
  l  leave it running (or press Ctrl-C again)
  s  stop it early and keep the best model so far
  c  cancel it
Which one? [l/s/c] """


class Follower:
    """Follows one task."""

    def __init__(self, client: Client, screen: Screen, may_ask: bool) -> None:
        """may_ask: the task was posted by this command, so Ctrl-C may end it if a person says so."""
        self._client = client
        self._screen = screen
        self._may_ask = may_ask and screen.can_ask

    def run(self, task: Task) -> ExitCode:
        """Show what happens to the task until it has ended, then its result. Returns how it ended."""
        task_id, seen = task.task_id, task.seq
        newest: Event | None = None
        while True:
            try:
                while task.state not in EXIT_CODES:
                    with display_for(self._screen, newest) as display:
                        for event in self._client.events(task_id, since=seen):
                            seen = event.id
                            if event.type == MISSED:
                                break
                            newest = event
                            display.show(event)
                    task = self._client.task(task_id)
                show_result(self._client, task, self._screen)
                return EXIT_CODES[task.state]
            except KeyboardInterrupt:
                if task.state in EXIT_CODES:
                    raise
                if not self._may_ask or self._leaves(task_id):
                    return self._left_running(task_id)

    def _leaves(self, task_id: str) -> bool:
        """Ask what should become of the task, and do it. Returns whether the command should end now."""
        try:
            answer = ""
            while answer not in ("l", "s", "c"):
                sys.stderr.write(QUESTION)
                sys.stderr.flush()
                line = sys.stdin.readline()
                # An empty line is no answer, but the end of the input is.
                answer = line.strip().lower()[:1] if line else "l"
            if answer == "s":
                self._client.stop(task_id)
            elif answer == "c":
                self._client.cancel(task_id)
            return answer == "l"
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            return True
        except TFModelError as error:
            self._screen.complain(error.error)
            return False

    def _left_running(self, task_id: str) -> ExitCode:
        self._screen.complain(
            f"The task {task_id} goes on. Follow it with 'python server.py show {task_id} --follow'; 'stop-task' ends "
            "it early, and 'cancel' drops it."
        )
        self._screen.line({"type": "left_running", "taskId": task_id})
        return ExitCode.STILL_RUNNING
