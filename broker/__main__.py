"""`python -m broker [run | story TASK | keys FOLDER]`: run the broker, print a task's history, or make CURVE keys."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import secrets
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec
import zmq

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.endpoints import bind_sockets
from broker.journal import Journal, read_story
from broker.journal_file import BrokenJournalError, JournalError, examine, is_damage
from broker.shell import Shell
from broker.tally import Tally
from conf.curve import make_keys
from conf.endpoints import bind_endpoints
from conf.logs import set_up_logging
from conf.settings import EXIT_BAD_SETTINGS, Settings, SettingsError, exit_bad_settings, load_or_exit
from protocol.text import printable

log = logging.getLogger("broker")

#: How long to wait before ending without a journal. It must exceed `startsecs` in supervisord.conf: see `run`.
JOURNAL_RETRY_S = 2.0


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    set_up_logging("broker", settings.log.format)
    broker = settings.broker
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    tally = Tally()
    try:
        journal = Journal(broker.journal_path)
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
    log.info("action=broker.listening worker=%s pid=%d", bind_endpoints(settings).worker, os.getpid())
    try:
        shell.run()
    except sqlite3.Error as error:
        # The state in memory is ahead of the journal now. End at once and answer nobody. The next start replays the
        # journal.
        log.critical("action=broker.journal_failed path=%r", str(broker.journal_path), exc_info=True)
        end_without_journal(broker.journal_path, error)
    journal.close()
    context.destroy(linger=200)
    log.info("action=broker.stopped")


def end_without_journal(path: Path, error: sqlite3.Error) -> NoReturn:
    """End after the journal has failed. supervisord starts the broker again only if the file is sound.

    With a damaged file the broker would fail at the same page again. It would also write to a file that should be
    rescued first.
    """
    if is_damage(error):
        try:
            examine(path)
        except BrokenJournalError as broken:
            give_up(broken)
        except JournalError:
            pass  # The file cannot be read now. The next start checks it again.
    os._exit(1)


def give_up(error: BrokenJournalError) -> NoReturn:
    """End so that supervisord does not start the broker again, because only a person can help."""
    log.critical("action=broker.gave_up reason=%r", str(error))
    os._exit(EXIT_BAD_SETTINGS)


def print_story(settings: Settings, task_id: str) -> int:
    """Print the facts of a task in order, one per line. Returns the exit code."""
    try:
        records = read_story(settings.broker.journal_path, task_id)
    except JournalError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201 - a command for a person
        return 1
    for record in records:
        at = datetime.datetime.fromtimestamp(record.at_s).isoformat(sep=" ", timespec="milliseconds")
        print(f"{record.seq:>8}  {at}  {printable(msgspec.json.encode(record.fact).decode())}")  # noqa: T201
    if not records:
        print(printable(f"The journal has no task {task_id}."), file=sys.stderr)  # noqa: T201
    return 0 if records else 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m broker", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="serve (the default)")
    commands.add_parser("story", help="print what has happened to a task").add_argument("task")
    commands.add_parser("keys", help="make the CURVE keys for [broker] curve_dir").add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "keys":
        try:
            make_keys(arguments.folder)
        except OSError as error:
            sys.exit(f"No keys were made: {error}")
        return
    settings = load_or_exit(os.environ)
    if arguments.command == "story":
        sys.exit(print_story(settings, arguments.task))
    run(settings)


if __name__ == "__main__":
    main()
