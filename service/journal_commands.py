"""`python server.py backup FILE | restore FILE | journal copy SOURCE`. Each function returns the exit code."""

from __future__ import annotations

import os
from pathlib import Path

from broker.journal import JournalError
from broker.journal_copying import copy_journal
from broker.journal_store import journal_store, store_at
from conf.broker_settings import why_bad_journal
from conf.settings import SettingsError, load
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen
from service.supervisor_client import SupervisorClient


def backup(
    file: Path,
    /,
    *,
    force: bool = False,
    screen: Screen = TEXT_SCREEN,
) -> int:
    """Copy the journal to a file.

    The service may be running.

    Parameters
    ----------
    file
        where the copy is written
    force
        overwrite FILE
    """
    try:
        store = journal_store(load(os.environ).broker)
        contents = store.back_up(file.absolute(), force)
    except (SettingsError, JournalError) as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    screen.say(f"The journal is backed up to {file}, and the copy is sound: {contents}.")
    screen.say("It has every task. It does not have photos, models, settings, tokens or keys.")
    screen.document({"file": str(file.absolute()), "contents": str(contents)})
    return ExitCode.OK


def restore(file: Path, /, *, screen: Screen = TEXT_SCREEN) -> int:
    """Replace the journal by a backup.

    The service must be stopped.

    Parameters
    ----------
    file
        the backup
    """
    try:
        settings = load(os.environ)
        if SupervisorClient(settings.home).pid() is not None:
            # The front-end must be stopped too, because it has the tasks in memory and would not notice the change.
            screen.fail("The service is running; stop it with 'python server.py stop', restore, and start it again.")
            return ExitCode.FAILED
        store = journal_store(settings.broker)
        contents, aside = store.restore(file.absolute())
    except (SettingsError, JournalError) as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    screen.say(f"{store.shown} is restored from {file}: {contents}.")
    screen.say("It lacks the tasks that were posted after the backup. Tasks that had not ended then are trained again.")
    if aside is not None:
        screen.say(f"The previous journal is kept as {aside}.")
    screen.document(
        {
            "journal": store.shown,
            "contents": str(contents),
            "previous": str(aside) if aside is not None else None,
        }
    )
    return ExitCode.OK


def copy(source: str, /, *, screen: Screen = TEXT_SCREEN) -> int:
    """Copy a journal into the empty one that [broker] journal names.

    The service must be stopped. It moves a journal from an SQLite file to PostgreSQL, or back. The copy is compared
    with its source.

    Parameters
    ----------
    source
        the path or URL of the present journal
    """
    try:
        settings = load(os.environ)
        if trouble := why_bad_journal(source):
            raise SettingsError(trouble)
        if SupervisorClient(settings.home).pid() is not None:
            screen.fail("The service is running; stop it with 'python server.py stop', copy, and start it again.")
            return ExitCode.FAILED
        target = journal_store(settings.broker)
        copied = copy_journal(store_at(source), target)
    except (SettingsError, JournalError) as error:
        screen.fail(str(error))
        return ExitCode.FAILED
    screen.say(
        f"{target.shown} has {copied.facts} facts of {copied.tasks} tasks, and they are the same as in the source."
    )
    for task_id in copied.left_out:
        screen.say(f"Task {task_id} was left out, because the source cannot be read there.")
    screen.document(
        {"journal": target.shown, "facts": copied.facts, "tasks": copied.tasks, "leftOut": list(copied.left_out)}
    )
    return ExitCode.OK
