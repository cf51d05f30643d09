"""`python server.py run`: the front-end alone, in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os

from conf.curve import FRONT_END, local_client_keys
from conf.logs import set_up_logging
from conf.settings import SettingsError, exit_bad_settings, load_or_exit
from conf.tokens import check_may_listen
from conf.tracing import set_up_traces
from conf.webhook_secrets import check_may_send
from service.exit_codes import ExitCode
from web.app import serve
from web.door.request_lines import guard_logs


def run() -> int:
    """Run the front-end alone, in the foreground.

    It ends at SIGTERM or SIGINT.
    """
    settings = load_or_exit(os.environ)
    set_up_logging("web", settings.log.format)
    guard_logs()
    try:
        check_may_listen(settings)
        check_may_send(settings)
        traces = set_up_traces(os.environ, "web")
        asyncio.run(serve(settings, local_client_keys(settings, FRONT_END), traces))
    except SettingsError as error:
        exit_bad_settings(str(error))
    except OSError as error:
        logging.getLogger("web").critical(
            "action=web.refused reason='cannot listen on %s:%d: %s'", settings.web.host, settings.web.port, error
        )
        return ExitCode.FAILED
    return ExitCode.OK
