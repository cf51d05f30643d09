"""`python server.py start | stop | restart | status | run`: the service, and its front-end in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

from conf.curve import FRONT_END, local_client_keys
from conf.logs import set_up_logging
from conf.settings import SettingsError, exit_bad_settings, load_or_exit
from service import commands
from web.app import serve


def run() -> int:
    """The front-end in the foreground, until SIGTERM or SIGINT."""
    settings = load_or_exit(os.environ)
    set_up_logging("web")
    try:
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
    command.add_parser("start", help="start broker, front-end and workers; returns when a task could be trained")
    command.add_parser("stop", help="stop all of them")
    command.add_parser("restart", help="stop, then start; waiting tasks stay, running ones are handed back")
    command.add_parser("status", help="show what runs; exit code 0 when a task could be trained")
    command.add_parser("run", help="the front-end alone, in the foreground")
    match parser.parse_args().command:
        case "start":
            sys.exit(commands.start(os.environ))
        case "stop":
            sys.exit(commands.stop())
        case "restart":
            sys.exit(commands.restart(os.environ))
        case "status":
            sys.exit(commands.status(os.environ))
        case "run":
            sys.exit(run())


if __name__ == "__main__":
    main()
