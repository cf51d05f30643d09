"""`python server.py start | stop | restart`. The functions with `environ` return the exit code of the program."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from broker.journal import JournalError
from conf.settings import ROOT, Settings, SettingsError, load, load_home
from conf.tokens import check_may_listen
from conf.webhook_secrets import check_may_send
from service.exit_codes import ExitCode
from service.journal_check import check_journal
from service.orphans import end_orphans, find_orphans
from service.own_front_end import address_of, get_json
from service.ports import owner_words, ports_of, why_unusable
from service.screen import TEXT_SCREEN, Screen
from service.supervisor_client import (
    ProgramInfo,
    SupervisorClient,
    SupervisorError,
    supervisord_command,
    supervisord_environment,
)
from service.supervisor_config import ConfigError, environment, write_config

#: Importing TensorFlow takes seconds, and the first start also converts the backbones.
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.1
LOG_LINES = 12
#: If a program has been started this many times while `start` waits, `start` gives up.
MOST_STARTS = 4
END_ORPHANS = "End them with 'python server.py stop'."


class StartError(Exception):
    """The service could not be started. The message tells the operator why."""


class StopError(Exception):
    """The service could not be stopped. The message tells the operator why."""


START_ERRORS = (StartError, SettingsError, ConfigError, JournalError, SupervisorError, OSError)


def start_command(
    *,
    foreground: bool = False,
    new_journal: bool = False,
    screen: Screen = TEXT_SCREEN,
) -> int:
    """Start the service.

    It returns when a task could be trained.

    Parameters
    ----------
    foreground
        stay in the foreground, as service managers and containers need it
    new_journal
        begin with an empty journal if the present one is unusable
    """
    if foreground:
        return start_in_foreground(os.environ, new_journal, screen)
    return start(os.environ, new_journal, screen)


def stop_command(*, screen: Screen = TEXT_SCREEN) -> int:
    """Stop the service.

    Running tasks go back to the queue, and go on after the next start.
    """
    return stop(os.environ, screen)


def restart_command(*, screen: Screen = TEXT_SCREEN) -> int:
    """Stop, then start.

    Running tasks go back to the queue, and go on after the start.
    """
    return restart(os.environ, screen)


def start(environ: Mapping[str, str], new_journal: bool = False, screen: Screen = TEXT_SCREEN) -> int:
    """Start everything and wait until a task could be trained. On failure, stop what has been started.

    new_journal: begin with an empty journal if the present one is missing or damaged.
    """
    try:
        settings = load(environ)
        supervisor = SupervisorClient(settings.home)
        if supervisor.pid() is not None:
            if new_journal:
                raise StartError("It is running and uses its journal; run 'python server.py stop' first.")
            return _start_what_is_stopped(supervisor, settings, screen)
        config = _prepare(supervisor, settings, new_journal, screen)
        supervisor.spawn(config, environment(settings, environ))
    except START_ERRORS as error:
        # This call has started no program yet. If a service is running already, it must not be stopped because of a
        # typing error in the settings or a second start at the same moment.
        screen.fail(f"TFModel did not start. {error}")
        return ExitCode.FAILED
    try:
        ready = _wait_until_ready(supervisor, settings, screen)
    except (StartError, SupervisorError) as error:
        screen.fail(f"TFModel did not start. {error}")
        _stop_quietly(supervisor, screen)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        screen.fail("Interrupted; stopping what has been started.")
        _stop_quietly(supervisor, screen)
        return ExitCode.FAILED
    describe(settings, ready, screen)
    return ExitCode.OK


def start_in_foreground(environ: Mapping[str, str], new_journal: bool = False, screen: Screen = TEXT_SCREEN) -> int:
    """Turn this process into supervisord, for a service manager or a container. Returns only on failure.

    SIGTERM then stops everything.
    """
    try:
        settings = load(environ)
        supervisor = SupervisorClient(settings.home)
        if supervisor.pid() is not None:
            raise StartError("It is running already; 'python server.py stop' ends it.")
        config = _prepare(supervisor, settings, new_journal, screen)
        command = [*supervisord_command(config), "--nodaemon"]
        os.chdir(ROOT)
        os.execve(command[0], command, supervisord_environment(environment(settings, environ)))
    except START_ERRORS as error:
        screen.fail(f"TFModel did not start. {error}")
        return ExitCode.FAILED


def _prepare(supervisor: SupervisorClient, settings: Settings, new_journal: bool, screen: Screen) -> Path:
    """Check everything that could keep the programs from running, and create the folders and files that they need.

    Returns the settings file for supervisord.
    """
    check_may_listen(settings)
    check_may_send(settings)
    _check_orphans(supervisor)
    _check_ports(settings)
    config = write_config(settings)
    _make_data_roots(settings)
    if said := check_journal(settings, new_journal):
        screen.say(said)
    return config


def _start_what_is_stopped(supervisor: SupervisorClient, settings: Settings, screen: Screen) -> int:
    """Start the programs that an operator has stopped, while supervisord is running. Stops nothing on failure."""
    if all(program.state == "RUNNING" for program in supervisor.programs()):
        screen.say("TFModel is running already; 'python server.py status' shows its state.")
        screen.document({"running": True, "url": address_of(settings.web)})
        return ExitCode.OK
    supervisor.start_all()
    describe(settings, _wait_until_ready(supervisor, settings, screen), screen)
    return ExitCode.OK


def stop(environ: Mapping[str, str], screen: Screen = TEXT_SCREEN) -> int:
    """Stop everything. Returns 0 even if nothing was running. Of the settings, only the state folder is needed."""
    try:
        said = _stop(load_home(environ))
    except (SettingsError, StopError) as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    screen.say(said)
    screen.document({"running": False, "message": said})
    return ExitCode.OK


def _stop(home: Path) -> str:
    """Stop everything. Returns a sentence that says what was running. Raises StopError."""
    supervisor = SupervisorClient(home)
    if supervisor.pid() is None:
        orphans = find_orphans(supervisor.socket)
        end_orphans(orphans, STOP_TIMEOUT_S)
        was = f"TFModel has stopped. Its supervisord was gone already.{pids(orphans)}"
        return was if orphans else "TFModel is not running."
    if not supervisor.shutdown(STOP_TIMEOUT_S):
        raise StopError(f"TFModel did not stop within {STOP_TIMEOUT_S:.0f} s; see {home / 'log' / 'supervisord.log'}.")
    return "TFModel has stopped."


def restart(environ: Mapping[str, str], screen: Screen = TEXT_SCREEN) -> int:
    """Stop and start. Checks settings and journal first, so that a typing error does not take the service down."""
    try:
        settings = load(environ)
        check_may_listen(settings)
        check_may_send(settings)
        check_journal(settings, new_journal=False)
    except (SettingsError, JournalError) as error:
        screen.fail(f"Nothing was restarted. {error}")
        return ExitCode.FAILED
    screen.say("Stopping TFModel. Running tasks go back to the queue …")
    try:
        screen.say(_stop(settings.home))
    except StopError as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    screen.say("Starting TFModel …")
    return start(environ, screen=screen)


def _wait_until_ready(supervisor: SupervisorClient, settings: Settings, screen: Screen) -> dict[str, Any]:
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    said = ""
    seen_pids: dict[str, set[int]] = {}
    while True:
        code, body = get_json(settings.web, "/readyz")
        if code == 200:
            return body
        programs = supervisor.programs()
        dead = next((program for program in programs if program.is_dead), None)
        if dead is not None:
            raise StartError(f"The program {dead.name} died ({dead.description}).\n{last_lines(dead)}")
        for program in programs:
            seen_pids.setdefault(program.name, set()).add(program.pid)
            # supervisord reports 0 between two starts of a program.
            if len(seen_pids[program.name] - {0}) >= MOST_STARTS:
                raise StartError(f"The program {program.name} ends each time it is started.\n{last_lines(program)}")
        if time.monotonic() > give_up_at_s:
            logs = "\n".join(last_lines(program) for program in programs)
            raise StartError(f"Not ready after {START_TIMEOUT_S:.0f} s: {body.get('error', 'no answer')}\n{logs}")
        error = str(body.get("error", ""))
        if error and error != said and sys.stdout.isatty():
            screen.say(f"  … {error}")
            said = error
        time.sleep(POLL_INTERVAL_S)


def _check_orphans(supervisor: SupervisorClient) -> None:
    if orphans := find_orphans(supervisor.socket):
        raise StartError(f"Programs of an earlier start are running without supervisord.{pids(orphans)} {END_ORPHANS}")


def pids(orphans: list[psutil.Process]) -> str:
    return f" Processes: {', '.join(str(process.pid) for process in orphans)}."


def _check_ports(settings: Settings) -> None:
    for port in ports_of(settings):
        if reason := why_unusable(port):
            raise StartError(
                f"Port {port.number} on {port.host} cannot be used: {reason}{owner_words(port)}. End that program, or "
                f"set [{port.section}] {port.key} in conf/tfmodel.toml ({port.variable})."
            )


def _make_data_roots(settings: Settings) -> None:
    for root in settings.web.allowed_roots():
        # Only the default folder is created. Another folder that is missing is probably a typing error.
        if root == (settings.home / "projects").resolve():
            root.mkdir(exist_ok=True)
        elif not root.is_dir():
            raise StartError(f"[web] data_roots names {root}, which is not a folder; create it or correct the setting.")


def last_lines(program: ProgramInfo) -> str:
    try:
        lines = program.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        lines = ["(no log yet)"]
    return "\n".join([f"Last lines of {program.log}:", *(f"    {line}" for line in lines)])


def describe(settings: Settings, ready: dict[str, Any], screen: Screen) -> None:
    """Say that the service is ready, and where everything is. ready: the answer of /readyz."""
    roots = [str(root) for root in settings.web.roots()]
    screen.say(f"TFModel is ready at {address_of(settings.web)}")
    screen.say(f"  workers  {ready.get('workers', 0)}")
    screen.say(f"  logs     {settings.log_dir}")
    screen.say(f"  photos   {', '.join(roots)}")
    screen.document(
        {
            "ready": True,
            "url": address_of(settings.web),
            "workers": ready.get("workers", 0),
            "logs": str(settings.log_dir),
            "dataRoots": roots,
        }
    )


def _stop_quietly(supervisor: SupervisorClient, screen: Screen) -> None:
    try:
        stopped = supervisor.shutdown(STOP_TIMEOUT_S)
    except SupervisorError as error:
        screen.complain(str(error))
        return
    if stopped:
        # A supervisord that was killed leaves its socket behind, which would confuse the next start.
        supervisor.socket.unlink(missing_ok=True)
    else:
        screen.complain("Not everything could be stopped; try 'python server.py stop'.")
