"""`python server.py start | stop | restart | status | run | check | backup | restore | token`: operate the service."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from conf.curve import FRONT_END, local_client_keys
from conf.logs import set_up_logging
from conf.settings import SettingsError, exit_bad_settings, load_or_exit
from conf.tokens import check_may_listen
from conf.webhook_secrets import check_may_send
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from service import commands, folder_command, journal_commands, token_commands
from web.app import serve
from web.request_lines import guard_logs


def run() -> int:
    """Run the front-end in the foreground until SIGTERM or SIGINT. Returns the exit code."""
    settings = load_or_exit(os.environ)
    set_up_logging("web", settings.log.format)
    guard_logs()
    try:
        check_may_listen(settings)
        check_may_send(settings)
        asyncio.run(serve(settings, local_client_keys(settings, FRONT_END)))
    except SettingsError as error:
        exit_bad_settings(str(error))
    except OSError as error:
        logging.getLogger("web").critical(
            "action=web.refused reason='cannot listen on %s:%d: %s'", settings.web.host, settings.web.port, error
        )
        return 1
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python server.py", description=__doc__)
    command = parser.add_subparsers(dest="command", required=True)
    start = command.add_parser("start", help="start the service; returns when a task could be trained")
    start.add_argument("--foreground", action="store_true", help="stay, as a service manager or a container needs it")
    start.add_argument("--new-journal", action="store_true", help="begin with an empty journal if it is unusable")
    command.add_parser("stop", help="stop the service")
    command.add_parser("restart", help="stop, then start; running tasks go back to the queue")
    command.add_parser("status", help="show what is running; exit code 0 if a task could be trained")
    command.add_parser("run", help="run the front-end alone, in the foreground")
    backup = command.add_parser("backup", help="copy the journal to FILE; the service may be running")
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--force", action="store_true", help="overwrite FILE")
    restore = command.add_parser("restore", help="replace the journal by a backup; the service must be stopped")
    restore.add_argument("file", type=Path, metavar="FILE")
    check = command.add_parser("check", help="say what a training would find in a folder; needs no running service")
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument("--type", choices=sorted(OPTIONS_BY_TRAIN_TYPE), default="classification", metavar="TRAINTYPE")
    check.add_argument("--json", action="store_true", help="print the whole report as JSON")
    _add_token_commands(command.add_parser("token", help="who may call the HTTP API: create, list or revoke tokens"))
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
        case "check":
            sys.exit(folder_command.check(arguments.folder, arguments.type, arguments.json))
        case "backup":
            sys.exit(journal_commands.backup(os.environ, arguments.file, arguments.force))
        case "restore":
            sys.exit(journal_commands.restore(os.environ, arguments.file))
        case "token":
            sys.exit(_change_tokens(arguments))


def _add_token_commands(parser: argparse.ArgumentParser) -> None:
    action = parser.add_subparsers(dest="action", required=True)
    create = action.add_parser("create", help="make a token; it is shown only once")
    create.add_argument("name", metavar="NAME", help="a name for the token: 1 to 64 letters, digits, '.', '_' or '-'")
    create.add_argument("--user", metavar="USERID", help="the token gives access only to the tasks of this userId")
    create.add_argument("--read-only", action="store_true", help="it may read, but not post, cancel or stop tasks")
    action.add_parser("list", help="list all tokens, without the secrets")
    revoke = action.add_parser("revoke", help="end a token at once")
    revoke.add_argument("name", metavar="NAME")


def _change_tokens(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "create":
            return token_commands.create(os.environ, arguments.name, arguments.user, arguments.read_only)
        case "revoke":
            return token_commands.revoke(os.environ, arguments.name)
    return token_commands.show(os.environ)


if __name__ == "__main__":
    main()
