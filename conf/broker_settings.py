"""The section [broker] of the settings: where it listens, what it keeps, and its limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from conf.section import Count, Port, Seconds, Section

#: A name or an address of a machine, without scheme and port. An IPv6 address has at least two colons.
HOST = r"^([A-Za-z0-9._-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*)$"
MAX_ADDRESSES = 16
_PART = r"(?:[^@:/?#%\s]|%[0-9A-Fa-f]{2})"
_HOST = r"(?:[A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]|(?:%2[fF][^@:/?#\s]*))(?::[0-9]{1,5})?"
#: What PostgreSQL's library takes as well. It reads a character that should have been escaped as the end of a part, and
#: would show a piece of the password in an error.
DATABASE_URL = re.compile(
    rf"postgres(?:ql)?://(?:{_PART}*(?::{_PART}*)?@)?{_HOST}(?:,{_HOST})*(?:/{_PART}*)?(?:\?(?:[^#%\s]|%[0-9A-Fa-f]{{2}})*)?"
)


class BrokerSettings(Section, frozen=True, kw_only=True):
    #: "" means Unix sockets in the state folder's run/. Any other value is the address for TCP with CURVE keys.
    host: str
    #: The hosts of all brokers that may lead, for programs that connect to them. Their ports are those below.
    addresses: Annotated[list[Annotated[str, Meta(pattern=HOST)]], Meta(max_length=MAX_ADDRESSES)]
    web_port: Port
    worker_port: Port
    publish_port: Port
    collect_port: Port
    curve_dir: Annotated[str, Meta(min_length=1)]
    #: The path of an SQLite file, or the URL of a database in PostgreSQL.
    journal: Annotated[str, Meta(min_length=1)]
    keep_days: Annotated[float, Meta(gt=0)]
    max_pending: Count
    max_pending_per_user: Count
    max_running_per_user: Annotated[int, Meta(ge=0)]
    max_attempts: Annotated[int, Meta(ge=1, le=100)]
    heartbeat_interval_s: Seconds
    lease_ttl_s: Seconds

    @property
    def journal_is_database(self) -> bool:
        return is_url(self.journal)

    @property
    def curve_path(self) -> Path:
        return Path(self.curve_dir)


def is_url(journal: str) -> bool:
    """Whether the setting `journal` names a database. Anything else is the path of a file."""
    return "://" in journal


def why_bad_journal(journal: str) -> str:
    """What is wrong with the place of a journal, as sentences; "" if it is fine."""
    if is_url(journal) and not DATABASE_URL.fullmatch(journal):
        # It may hold a password, so it is not shown.
        return (
            "It must be the URL of a PostgreSQL database, as postgresql://USER@HOST:PORT/DATABASE, or the path of an "
            "SQLite file. In a user name or a password, write the characters @ : / ? # and % as %40 %3A %2F %3F %23 "
            "and %25."
        )
    return ""


def why_bad(broker: BrokerSettings) -> str:
    """What is wrong with the section, as a sentence that names the key; "" if it is fine."""
    if trouble := why_bad_journal(broker.journal):
        return f"[broker] journal is not allowed. {trouble}"
    if broker.lease_ttl_s < 2 * broker.heartbeat_interval_s:
        return (
            f"[broker] lease_ttl_s = {broker.lease_ttl_s} must be at least twice "
            f"heartbeat_interval_s = {broker.heartbeat_interval_s}, or one lost heartbeat loses the task."
        )
    return ""
