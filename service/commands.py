"""`python server.py start | stop | restart | status`. Each function returns the exit code of the program."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from broker.journal_file import JournalError
from conf.settings import ROOT, Settings, SettingsError, load, load_home
from conf.tokens import check_may_listen
from conf.webhook_secrets import check_may_send
from protocol.text import printable
from service.journal_check import check_journal
from service.orphans import end_orphans, find_orphans
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


START_ERRORS = (StartError, SettingsError, ConfigError, JournalError, SupervisorError, OSError)


def start(environ: Mapping[str, str], new_journal: bool = False) -> int:
    """Start everything and wait until a task could be trained. On failure, stop what has been started.

    new_journal: begin with an empty journal if the present one is missing or damaged.
    """
    try:
        settings = load(environ)
        supervisor = SupervisorClient(settings.home)
        if supervisor.pid() is not None:
            if new_journal:
                raise StartError("It is running and uses its journal; run 'python server.py stop' first.")
            return _start_what_is_stopped(supervisor, settings)
        config = _prepare(supervisor, settings, new_journal)
        supervisor.spawn(config, environment(settings, environ))
    except START_ERRORS as error:
        # This call has started no program yet. If a service is running already, it must not be stopped because of a
        # typing error in the settings or a second start at the same moment.
        complain(f"TFModel did not start. {error}")
        return 1
    try:
        ready = _wait_until_ready(supervisor, settings)
    except (StartError, SupervisorError) as error:
        complain(f"TFModel did not start. {error}")
        _stop_quietly(supervisor)
        return 1
    except KeyboardInterrupt:
        complain("Interrupted; stopping what has been started.")
        _stop_quietly(supervisor)
        return 1
    _describe(settings, ready)
    return 0


def start_in_foreground(environ: Mapping[str, str], new_journal: bool = False) -> int:
    """Turn this process into supervisord, for a service manager or a container. Returns only on failure.

    SIGTERM then stops everything.
    """
    try:
        settings = load(environ)
        supervisor = SupervisorClient(settings.home)
        if supervisor.pid() is not None:
            raise StartError("It is running already; 'python server.py stop' ends it.")
        config = _prepare(supervisor, settings, new_journal)
        command = [*supervisord_command(config), "--nodaemon"]
        os.chdir(ROOT)
        os.execve(command[0], command, supervisord_environment(environment(settings, environ)))
    except START_ERRORS as error:
        complain(f"TFModel did not start. {error}")
        return 1


def _prepare(supervisor: SupervisorClient, settings: Settings, new_journal: bool) -> Path:
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
        say(said)
    return config


def _start_what_is_stopped(supervisor: SupervisorClient, settings: Settings) -> int:
    """Start the programs that an operator has stopped, while supervisord is running. Stops nothing on failure."""
    if all(program.state == "RUNNING" for program in supervisor.programs()):
        say("TFModel is running already; 'python server.py status' shows its state.")
        return 0
    supervisor.start_all()
    _describe(settings, _wait_until_ready(supervisor, settings))
    return 0


def stop(environ: Mapping[str, str]) -> int:
    """Stop everything. Returns 0 even if nothing was running. Of the settings, only the state folder is needed."""
    try:
        home = load_home(environ)
    except SettingsError as error:
        complain(str(error))
        return 1
    supervisor = SupervisorClient(home)
    if supervisor.pid() is None:
        orphans = find_orphans(supervisor.socket)
        end_orphans(orphans, STOP_TIMEOUT_S)
        was = f"TFModel has stopped. Its supervisord was gone already.{_pids(orphans)}"
        say(was if orphans else "TFModel is not running.")
        return 0
    if not supervisor.shutdown(STOP_TIMEOUT_S):
        complain(f"TFModel did not stop within {STOP_TIMEOUT_S:.0f} s; see {home / 'log' / 'supervisord.log'}.")
        return 1
    say("TFModel has stopped.")
    return 0


def restart(environ: Mapping[str, str]) -> int:
    """Stop and start. Checks settings and journal first, so that a typing error does not take the service down."""
    try:
        settings = load(environ)
        check_may_listen(settings)
        check_may_send(settings)
        check_journal(settings, new_journal=False)
    except (SettingsError, JournalError) as error:
        complain(f"Nothing was restarted. {error}")
        return 1
    return stop(environ) or start(environ)


def status(environ: Mapping[str, str]) -> int:
    """Print what is running. Returns 0 if a task could be trained now, 1 if not, and 3 if nothing is running."""
    try:
        settings = load(environ)
    except SettingsError as error:
        complain(str(error))
        return 1
    supervisor = SupervisorClient(settings.home)
    if supervisor.pid() is None:
        if orphans := find_orphans(supervisor.socket):
            complain(f"supervisord is gone, but its programs are still running.{_pids(orphans)} {END_ORPHANS}")
            return 1
        say("TFModel is not running; start it with 'python server.py start'.")
        return 3
    programs = supervisor.programs()
    for program in programs:
        say(f"{program.name:<20} {program.state:<10} {program.description}")
    dead = [program for program in programs if program.is_dead]
    for program in dead:
        complain(f"The program {program.name} has ended. {_last_lines(program)}")
    code, body = get_json(settings, "/readyz")
    if code == 200:
        _describe(settings, body)
        # A program may have ended just now: the front-end notices that after some seconds.
        return 1 if dead else 0
    complain(str(body.get("error", "The front-end does not answer.")))
    return 1


def say(text: str) -> None:
    """Print to stdout. Control characters are escaped, because names of files and users may contain them."""
    print(_safe(text), flush=True)  # noqa: T201 - a command for a person


def complain(text: str) -> None:
    """Print to stderr, escaped like `say` does."""
    print(_safe(text), file=sys.stderr, flush=True)  # noqa: T201


def _safe(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def get_json(settings: Settings, path: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of a GET to our own front-end. The status is 0 if it does not answer."""
    url = f"http://{_reachable(settings.web.host)}:{settings.web.port}{path}"
    # Calls to this machine must not go through a proxy from the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error)
        except ValueError:
            return error.code, {}
    except (OSError, ValueError):
        return 0, {}


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    host = "::1" if host == "::" else host
    return f"[{host}]" if ":" in host else host


def _wait_until_ready(supervisor: SupervisorClient, settings: Settings) -> dict[str, Any]:
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    said = ""
    pids: dict[str, set[int]] = {}
    while True:
        code, body = get_json(settings, "/readyz")
        if code == 200:
            return body
        programs = supervisor.programs()
        dead = next((program for program in programs if program.is_dead), None)
        if dead is not None:
            raise StartError(f"The program {dead.name} died ({dead.description}).\n{_last_lines(dead)}")
        for program in programs:
            pids.setdefault(program.name, set()).add(program.pid)
            # supervisord reports 0 between two starts of a program.
            if len(pids[program.name] - {0}) >= MOST_STARTS:
                raise StartError(f"The program {program.name} ends each time it is started.\n{_last_lines(program)}")
        if time.monotonic() > give_up_at_s:
            logs = "\n".join(_last_lines(program) for program in programs)
            raise StartError(f"Not ready after {START_TIMEOUT_S:.0f} s: {body.get('error', 'no answer')}\n{logs}")
        error = str(body.get("error", ""))
        if error and error != said and sys.stdout.isatty():
            say(f"  … {error}")
            said = error
        time.sleep(POLL_INTERVAL_S)


def _check_orphans(supervisor: SupervisorClient) -> None:
    if orphans := find_orphans(supervisor.socket):
        raise StartError(f"Programs of an earlier start are running without supervisord.{_pids(orphans)} {END_ORPHANS}")


def _pids(orphans: list[psutil.Process]) -> str:
    return f" Processes: {', '.join(str(process.pid) for process in orphans)}."


def _check_ports(settings: Settings) -> None:
    broker, web = settings.broker, settings.web
    # Without [broker] host the broker uses Unix sockets and no ports.
    keys = ("web_port", "worker_port", "publish_port", "collect_port") if broker.host else ()
    addresses = {("web", "port"): (web.host, web.port)} | {
        ("broker", key): (broker.host, getattr(broker, key)) for key in keys
    }
    for (section, key), (host, port) in addresses.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("" if host == "*" else host, port))
            except OSError as error:
                raise StartError(
                    f"Port {port} on {host} cannot be used: {error.strerror}{_owner_of(port)}. End that program, or "
                    f"set [{section}] {key} in conf/tfmodel.toml (TFMODEL_{section.upper()}_{key.upper()})."
                ) from error


def _owner_of(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid and connection.status == "LISTEN":
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""


def _make_data_roots(settings: Settings) -> None:
    for root in settings.web.allowed_roots():
        # Only the default folder is created. Another folder that is missing is probably a typing error.
        if root == (settings.home / "projects").resolve():
            root.mkdir(exist_ok=True)
        elif not root.is_dir():
            raise StartError(f"[web] data_roots names {root}, which is not a folder; create it or correct the setting.")


def _last_lines(program: ProgramInfo) -> str:
    try:
        lines = program.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    except OSError:
        lines = ["(no log yet)"]
    return "\n".join([f"Last lines of {program.log}:", *(f"    {line}" for line in lines)])


def _describe(settings: Settings, ready: dict[str, Any]) -> None:
    say(f"TFModel is ready at http://{_reachable(settings.web.host)}:{settings.web.port}")
    say(f"  workers  {ready.get('workers', 0)}")
    say(f"  logs     {settings.log_dir}")
    say(f"  photos   {', '.join(str(root) for root in settings.web.allowed_roots())}")


def _stop_quietly(supervisor: SupervisorClient) -> None:
    try:
        stopped = supervisor.shutdown(STOP_TIMEOUT_S)
    except SupervisorError as error:
        complain(str(error))
        return
    if stopped:
        # A supervisord that was killed leaves its socket behind, which would confuse the next start.
        supervisor.socket.unlink(missing_ok=True)
    else:
        complain("Not everything could be stopped; try 'python server.py stop'.")
