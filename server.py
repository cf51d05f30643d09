"""`python server.py start | stop | restart | status | run | backup | restore`: the service, and its parts."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from conf.curve import load_client_keys
from conf.logs import set_up_logging
from conf.settings import SettingsError, exit_bad_settings, load_or_exit
from service import commands, journal_commands
from web.app import serve


def run() -> int:
    """The front-end in the foreground, until SIGTERM or SIGINT."""
    settings = load_or_exit(os.environ)
    set_up_logging("web")
    try:
        keys = load_client_keys(settings.broker.curve_path)
    except SettingsError as error:
        exit_bad_settings(str(error))
    try:
        asyncio.run(serve(settings, keys))
    except OSError as error:
        logging.getLogger("web").critical(
            "action=web.refused reason='cannot listen on %s:%d: %s'", settings.web.host, settings.web.port, error
        )
        return 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python server.py", description=__doc__)
    command = parser.add_subparsers(dest="command", required=True)
    start = command.add_parser("start", help="start broker, front-end, workers; returns when a task could be trained")
    start.add_argument("--foreground", action="store_true", help="stay, for a service manager or a container")
    start.add_argument("--new-journal", action="store_true", help="begin anew where the journal is lost or damaged")
    command.add_parser("stop", help="stop all of them")
    command.add_parser("restart", help="stop, then start; waiting tasks stay, running ones are handed back")
    command.add_parser("status", help="show what runs; exit code 0 when a task could be trained")
    command.add_parser("run", help="the front-end alone, in the foreground")
    backup = command.add_parser("backup", help="copy the journal to FILE, also while the service runs")
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--force", action="store_true", help="overwrite FILE")
    restore = command.add_parser("restore", help="put a backup in the journal's place, while the service is stopped")
    restore.add_argument("file", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    match arguments.command:
        case "start":
            begin = commands.start_in_foreground if arguments.foreground else commands.start
            sys.exit(begin(os.environ, arguments.new_journal))
        case "stop":
            sys.exit(commands.stop(os.environ))
        case "restart":
            sys.exit(commands.restart(os.environ))
        case "status":
            sys.exit(commands.status(os.environ))
        case "run":
            sys.exit(run())
        case "backup":
            sys.exit(journal_commands.backup(os.environ, arguments.file, arguments.force))
        case "restore":
            sys.exit(journal_commands.restore(os.environ, arguments.file))


if __name__ == "__main__":
    main()
