"""`python server.py backup FILE | restore FILE`. Each function returns the exit code of the program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.journal_copy import back_up
from broker.journal_copy import restore as put_back
from broker.journal_file import JournalError
from conf.settings import SettingsError, load
from service.commands import complain, say
from service.supervisor_client import SupervisorClient


def backup(environ: Mapping[str, str], file: Path, overwrite: bool) -> int:
    """Copy the journal. The service may be running."""
    try:
        journal = load(environ).broker.journal_path
        contents = back_up(journal, file.absolute(), overwrite)
    except (SettingsError, JournalError) as error:
        complain(str(error))
        return 1
    say(f"The journal is backed up to {file}, and the copy is sound: {contents}.")
    say("It has every task. It does not have photos, models, settings, tokens or keys.")
    return 0


def restore(environ: Mapping[str, str], file: Path) -> int:
    """Replace the journal by a backup. The service must be stopped."""
    try:
        settings = load(environ)
        if SupervisorClient(settings.home).pid() is not None:
            # The front-end must be stopped too, because it has the tasks in memory and would not notice the change.
            complain("The service is running; stop it with 'python server.py stop', restore, and start it again.")
            return 1
        contents, aside = put_back(file.absolute(), settings.broker.journal_path)
    except (SettingsError, JournalError) as error:
        complain(str(error))
        return 1
    say(f"{settings.broker.journal_path} is restored from {file}: {contents}.")
    say("It lacks the tasks that were posted after the backup. Tasks that had not ended then are trained again.")
    if aside is not None:
        say(f"The previous journal is kept as {aside}.")
    return 0
