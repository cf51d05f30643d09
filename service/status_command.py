"""`python server.py status`: what is running."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from conf.settings import Settings, SettingsError, load
from service.exit_codes import ExitCode
from service.orphans import find_orphans
from service.own_front_end import address_of, get_json
from service.screen import TEXT_SCREEN, Screen
from service.service_commands import END_ORPHANS, describe, last_lines, pids
from service.supervisor_client import ProgramInfo, SupervisorClient

NOT_RUNNING = "TFModel is not running; start it with 'python server.py start'."


def status_command(*, screen: Screen = TEXT_SCREEN) -> int:
    """Show what is running.

    The exit code is 0 if a task could be trained, 1 if not, and 3 if nothing is running.
    """
    return status(os.environ, screen)


def status(environ: Mapping[str, str], screen: Screen = TEXT_SCREEN) -> int:
    """Print what is running. Returns the exit code."""
    try:
        settings = load(environ)
    except SettingsError as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    supervisor = SupervisorClient(settings.home)
    if supervisor.pid() is None:
        if orphans := find_orphans(supervisor.socket):
            screen.fail(f"supervisord is gone, but its programs are still running.{pids(orphans)} {END_ORPHANS}")
            return ExitCode.FAILED
        screen.say(NOT_RUNNING)
        screen.document({"running": False, "ready": False, "message": NOT_RUNNING})
        return ExitCode.NOT_RUNNING
    code, body = get_json(settings.web, "/readyz")
    programs = supervisor.programs()
    if screen.json:
        screen.document(_view(settings, programs, body))
    else:
        _show(settings, programs, body, screen)
    # A program may have ended just now: the front-end notices that after some seconds.
    return ExitCode.OK if code == 200 and not any(program.is_dead for program in programs) else ExitCode.FAILED


def _show(settings: Settings, programs: list[ProgramInfo], body: dict[str, Any], screen: Screen) -> None:
    for program in programs:
        screen.say(f"{program.name:<20} {program.state:<10} {program.description}")
    for program in programs:
        if program.is_dead:
            screen.complain(f"The program {program.name} has ended. {last_lines(program)}")
    if body.get("ready"):
        describe(settings, body, screen)
    else:
        screen.complain(str(body.get("error", "The front-end does not answer.")))


def _view(settings: Settings, programs: list[ProgramInfo], body: dict[str, Any]) -> dict[str, Any]:
    return {
        "running": True,
        "ready": bool(body.get("ready")),
        "error": "" if body.get("ready") else str(body.get("error", "The front-end does not answer.")),
        "url": address_of(settings.web),
        "workers": body.get("workers", 0),
        "programs": [
            {
                "name": program.name,
                "state": program.state,
                "pid": program.pid,
                "description": program.description,
                "log": str(program.log),
            }
            for program in programs
        ],
    }
