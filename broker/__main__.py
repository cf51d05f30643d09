"""`python -m broker [run | leader | story TASK]`: run the broker, say which one leads, or print a task's history."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import secrets
import signal
import sys
import time
from typing import NoReturn

import msgspec
import zmq

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.endpoints import bind_sockets
from broker.journal import BrokenJournalError, JournalError, LeadershipLostError
from broker.journal_store import journal_store, read_story
from broker.shell import Shell
from broker.standby import Standby
from broker.tally import Tally
from conf.curve import broker_keys
from conf.endpoints import bind_endpoints
from conf.logs import set_up_logging
from conf.settings import EXIT_BAD_SETTINGS, Settings, SettingsError, exit_bad_settings, load_or_exit
from protocol.text import printable

log = logging.getLogger("broker")

#: How long to wait before ending without a journal. It must exceed `startsecs` in supervisord.conf: see `run`.
JOURNAL_RETRY_S = 2.0


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. If another broker leads, stand by until it ends."""
    set_up_logging("broker", settings.log.format)
    broker = settings.broker
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    tally = Tally()
    try:
        endpoints = bind_endpoints(settings)
        if broker.host:
            broker_keys(settings)  # If they cannot be read, a broker that stands by should say so at once.
        store = journal_store(broker)
        journal = store.open(Standby().wait)
        journal.report_loss_to(end_without_leadership)
        sockets = bind_sockets(context, settings, tally)
    except BrokenJournalError as error:
        give_up(error)
    except JournalError as error:
        log.critical("action=broker.refused reason=%r", str(error))
        # The journal may become usable: a full disk gets space, or the previous broker ends. supervisord gives up on a
        # program that ends within `startsecs`, so wait longer than that. Then it starts the broker again and again.
        time.sleep(JOURNAL_RETRY_S)
        sys.exit(1)
    except SettingsError as error:
        exit_bad_settings(str(error))
    core = Core(
        CoreSettings(
            lease_ttl_s=broker.lease_ttl_s,
            heartbeat_interval_s=broker.heartbeat_interval_s,
            max_attempts=broker.max_attempts,
            max_pending=broker.max_pending,
            max_pending_per_user=broker.max_pending_per_user,
            max_running_per_user=broker.max_running_per_user,
            progress_port=broker.collect_port if broker.host else 0,
            data_roots=tuple(map(str, settings.web.roots())),
            webhook_hosts=tuple(settings.webhooks.allowed_hosts),
            publish_secret=secrets.token_bytes(32),
        )
    )
    shell = Shell(core, journal, sockets, broker.keep_days, tally)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: shell.stop())
    log.info("action=broker.listening worker=%s pid=%d", endpoints.worker, os.getpid())
    try:
        shell.run()
    except LeadershipLostError as error:
        end_without_leadership(error)
    except JournalError as error:
        # The state in memory is ahead of the journal now. End at once and answer nobody. The next start replays the
        # journal.
        log.critical("action=broker.journal_failed path=%r", store.shown, exc_info=True)
        end_without_journal(error)
    context.destroy(linger=200)
    journal.close()  # From now on another broker can lead.
    log.info("action=broker.stopped")


def end_without_leadership(error: LeadershipLostError) -> NoReturn:
    """End at once and answer nobody, because another broker may lead. supervisord starts this one again to stand by.

    The thread that watches the leadership calls this too, since the main thread may hang in the lost connection. Its
    sockets would stay open meanwhile, and front-ends and workers would send it a share of their messages.
    """
    log.critical("action=broker.leadership_lost reason=%r", str(error))
    os._exit(1)


def end_without_journal(error: JournalError) -> NoReturn:
    """End after the journal has failed. supervisord starts the broker again unless only a person can help.

    With a damaged file the broker would fail at the same page again. It would also write to a file that should be
    rescued first.
    """
    if isinstance(error, BrokenJournalError):
        give_up(error)
    os._exit(1)


def give_up(error: BrokenJournalError) -> NoReturn:
    """End so that supervisord does not start the broker again, because only a person can help."""
    log.critical("action=broker.gave_up reason=%r", str(error))
    os._exit(EXIT_BAD_SETTINGS)


def print_story(settings: Settings, task_id: str) -> int:
    """Print the facts of a task in order, one per line. Returns the exit code."""
    try:
        records = read_story(journal_store(settings.broker), task_id)
    except JournalError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201 - a command for a person
        return 1
    for record in records:
        at = datetime.datetime.fromtimestamp(record.at_s).isoformat(sep=" ", timespec="milliseconds")
        print(f"{record.seq:>8}  {at}  {printable(msgspec.json.encode(record.fact).decode())}")  # noqa: T201
    if not records:
        print(printable(f"The journal has no task {task_id}."), file=sys.stderr)  # noqa: T201
    return 0 if records else 1


def print_leader(settings: Settings) -> int:
    """Print which broker leads. Returns the exit code: 0 if one does."""
    if not settings.broker.journal_is_database:
        print("The journal is a file, which only one broker can use, so none stands by.")  # noqa: T201
        return 1
    try:
        leader = journal_store(settings.broker).leader()
    except JournalError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201
        return 1
    print(printable(f"{leader}." if leader is not None else "No broker has ever led."))  # noqa: T201
    return 0 if leader is not None and leader.leads else 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m broker", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="serve (the default)")
    commands.add_parser("leader", help="say which of several brokers leads")
    commands.add_parser("story", help="print what has happened to a task").add_argument("task")
    arguments = parser.parse_args()
    settings = load_or_exit(os.environ)
    if arguments.command == "leader":
        sys.exit(print_leader(settings))
    if arguments.command == "story":
        sys.exit(print_story(settings, arguments.task))
    run(settings)


if __name__ == "__main__":
    main()
