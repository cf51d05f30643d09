"""The part of the doctor that looks at what runs: supervisord, its programs, and the owners of the ports."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from conf.settings import Settings
from service.doctor.result import Result, bad, ok, warn
from service.orphans import find_orphans
from service.own_front_end import get_json
from service.ports import Port, owner_of, owner_words, ports_of, why_unusable
from service.service_commands import END_ORPHANS, pids
from service.supervisor_client import SupervisorClient

#: A program that is not ours may never answer.
FOREIGN_TIMEOUT_S = 1.0


def look(settings: Settings) -> Iterator[Result]:
    supervisor = SupervisorClient(settings.home)
    pid = supervisor.pid()
    yield from _programs(settings, supervisor, pid)
    for port in ports_of(settings):
        yield _port(settings, port, pid)


def _programs(settings: Settings, supervisor: SupervisorClient, pid: int | None) -> Iterator[Result]:
    if pid is None:
        if orphans := find_orphans(supervisor.socket):
            yield bad("supervisord", f"It is gone, but its programs are still running.{pids(orphans)}", END_ORPHANS)
        else:
            yield ok("supervisord", "TFModel is not running")
        return
    programs = supervisor.programs()
    for program in programs:
        if program.state == "STOPPED":
            yield warn("program", f"{program.name} is stopped.", "Run 'python server.py start'.")
        elif program.is_dead:
            yield bad("program", f"{program.name} is {program.state}: {program.description}.", f"See {program.log}.")
    if all(program.state == "RUNNING" for program in programs):
        yield ok("supervisord", f"All {len(programs)} programs are running")
    code, body = get_json(settings.web, "/readyz")
    if code == 200:
        yield ok("ready", f"A task could be trained now; {body.get('workers', 0)} workers")
    else:
        reason = str(body.get("error", "The front-end does not answer."))
        yield warn("ready", f"No task could be trained now: {reason}", "Run 'python server.py status'.")


def _port(settings: Settings, port: Port, supervisor_pid: int | None) -> Result:
    place = f"Port {port.number} on {port.host}"
    if not (reason := why_unusable(port)):
        if supervisor_pid is not None and port.section == "broker" and settings.broker.journal_is_database:
            return ok("port", f"{place} is free, as it is while this machine's broker stands by")
        if supervisor_pid is not None:
            return warn("port", f"{place} is free, although TFModel is running.", "Run 'python server.py status'.")
        return ok("port", f"{place} is free")
    if supervisor_pid is not None and _is_ours(port, supervisor_pid):
        return ok("port", f"{place} is held by TFModel")
    if supervisor_pid is None and port.section == "web" and _is_front_end(settings):
        return warn(
            "port",
            f"{place} is held by a front-end that was not started by 'python server.py start'{owner_words(port)}.",
            "End it before the next start.",
        )
    return bad(
        "port",
        f"{place} cannot be used: {reason}{owner_words(port)}.",
        f"End that program, or set [{port.section}] {port.key} in conf/tfmodel.toml ({port.variable}).",
    )


def _is_front_end(settings: Settings) -> bool:
    status, _ = get_json(settings.web, "/healthz", FOREIGN_TIMEOUT_S)
    return status == 200


def _is_ours(port: Port, supervisor_pid: int) -> bool:
    """Whether the owner of the port is a program of our supervisord. Also true if the owner cannot be found out."""
    owner = owner_of(port)
    if owner is None:
        return True
    try:
        return any(parent.pid == supervisor_pid for parent in owner.parents())
    except psutil.Error:
        return True
