"""The journal: is it there, sound and ours?"""

from __future__ import annotations

from collections.abc import Iterator

from broker.journal_file import JournalError, examine, is_blank
from conf.settings import Settings
from service.doctor.result import Result, bad, ok
from service.journal_check import check_journal
from service.supervisor_client import SupervisorClient


def look(settings: Settings) -> Iterator[Result]:
    path = settings.broker.journal_path
    try:
        if SupervisorClient(settings.home).pid() is None:
            check_journal(settings, new_journal=False)
        if is_blank(path):
            yield ok("journal", f"There is none yet; the first start makes {path}")
            return
        yield ok("journal", f"{path} is sound: {examine(path)}")
    except JournalError as error:
        # The message says what to do.
        yield bad("journal", str(error), "")
