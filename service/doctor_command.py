"""`python server.py doctor`: look for what could keep the service from working."""

from __future__ import annotations

import os
from collections.abc import Iterator

from conf.settings import SettingsError, load
from service.doctor import clock, devices, far_broker, journal, places, running, storage, versions
from service.doctor.result import Result, Verdict, bad, ok
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen


def doctor(
    *,
    quick: bool = False,
    screen: Screen = TEXT_SCREEN,
) -> int:
    """Look for what could keep the service from working.

    The exit code is 1 if something is bad. Each line is ok, warn or bad, and says what to do. Nothing is changed.

    Parameters
    ----------
    quick
        leave out the devices, for which TensorFlow has to be loaded
    """
    found = []
    for result in _look(quick):
        found.append(result)
        screen.say(f"{result.verdict:<4}  {result.topic}: {result.sentence} {result.cure}".rstrip())
    worst = Verdict.BAD in [result.verdict for result in found]
    screen.document({"healthy": not worst, "results": found})
    return ExitCode.FAILED if worst else ExitCode.OK


def _look(quick: bool) -> Iterator[Result]:
    yield from versions.look()
    try:
        settings = load(os.environ)
    except SettingsError as error:
        yield bad("settings", str(error), "Correct it; the other parts depend on the settings.")
        return
    yield ok("settings", "All settings are allowed")
    yield from places.look(settings)
    yield from storage.look(settings)
    yield from journal.look(settings)
    yield from clock.look(settings)
    yield from running.look(settings)
    yield from far_broker.look(settings)
    yield from devices.look(settings, quick)
