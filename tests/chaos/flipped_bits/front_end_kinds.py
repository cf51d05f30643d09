"""The files of the front-end: uploads on their way, notes of uploads and webhooks, tokens and webhook secrets."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import msgspec

from conf.tokens import TokenError, create_token, read_tokens
from conf.webhook_secrets import WebhookSecretError, create_secret, read_secrets, rotate_secret
from tests.chaos.flipped_bits.flipping import FoundError, Kind
from tests.chaos.power_loss.front_end_files import ANYONE, ROSES, Uploading, picture
from tests.sample_tasks import hex_id
from web.answers.refusal import Refusal
from web.uploads.upload_requests import Names
from web.uploads.upload_store import Upload, UploadStore
from web.webhooks.delivery import NewDelivery, Times
from web.webhooks.store import Store

UPLOADING = Uploading()
SYSTEM = "one run"
NAME = "notes.sqlite3"


def make_part(folder: Path) -> Sequence[Path]:
    """Half of a picture has arrived, whose SHA-256 was said before."""
    UPLOADING.prepare(folder)
    desk = UPLOADING.desk(folder, SYSTEM)
    view = desk.begin(UPLOADING.new(2, ROSES), Names("anna", "p", ROSES, "2.jpg"))
    desk.append(view.upload_id, ANYONE, 0, picture(2)[:6000])
    desk.close()
    (folder / "upload").write_text(view.upload_id)
    return list((folder / "root" / "uploads" / ".incoming").iterdir())


def read_part(folder: Path) -> Iterator[Hashable]:
    """The rest arrives."""
    desk = UPLOADING.desk(folder, SYSTEM)
    try:
        desk.append((folder / "upload").read_text(), ANYONE, 6000, picture(2)[6000:])
    except Refusal as refusal:
        raise FoundError(refusal.problem.error) from refusal
    finally:
        desk.close()
    yield from (path.read_bytes() for path in (folder / "root" / "uploads" / "anna").rglob("*.jpg"))


def make_upload_notes(folder: Path) -> Sequence[Path]:
    store = UploadStore(folder / NAME)
    for number in range(30):
        upload = Upload(
            upload_id=hex_id(number),
            user_id="anna",
            project_id="p",
            label="roses",
            name=f"{number}.jpg",
            size_bytes=9,
            sha256=hashlib.sha256(bytes([number])).hexdigest(),
            state="stored" if number % 2 else "open",
            picture=f"roses/{number}.jpg" if number % 2 else "",
            touched_at_s=1000.0 + number,
        )
        store.save(upload)
    store.close()
    return [folder / NAME]


def read_upload_notes(folder: Path) -> Iterator[Hashable]:
    try:
        store = UploadStore(folder / NAME)
        found = [*store.stored("anna", "p"), *store.open_ones()]
        found += [each for number in range(30) if (each := store.get(hex_id(number))) is not None]
        store.close()
    except sqlite3.Error as error:
        raise FoundError(str(error)) from error
    yield from map(msgspec.structs.astuple, found)


def make_webhook_notes(folder: Path) -> Sequence[Path]:
    store = Store(folder / NAME)
    store.open_destinations(["site"], ["site"], 0, 1000.0)
    for number in range(30):
        new = NewDelivery(f"id{number}", "site", "site", "", hex_id(number % 20), number + 1, "task.done", b'{"id": 1}')
        store.hand_over(["site"], [new], number + 1, Times(1000.0, 5000.0))
    store.close()
    return [folder / NAME]


def read_webhook_notes(folder: Path) -> Iterator[Hashable]:
    """What is sent, one after the other, and up to which fact number the journal has been read."""
    try:
        store = Store(folder / NAME)
        store.open_destinations(["site"], ["site"], 0, 1500.0)
        due = store.look({"site": 100}, 1500.0).due
        records = store.records()
        store.close()
    except sqlite3.Error as error:
        raise FoundError(str(error)) from error
    yield from ((each.webhook_id, each.destination, each.task_id, each.event_id, each.event) for each in due)
    yield from (("handed over", record.destination, record.handed_over) for record in records)


def make_tokens(folder: Path) -> Sequence[Path]:
    for number in range(10):
        create_token(folder / "tokens.json", f"site-{number}", str(number) if number % 2 else None)
    return [folder / "tokens.json"]


def read_all_tokens(folder: Path) -> Iterator[Hashable]:
    try:
        yield from map(msgspec.structs.astuple, read_tokens(folder / "tokens.json") or ())
    except TokenError as error:
        raise FoundError(str(error)) from error


def make_secrets(folder: Path) -> Sequence[Path]:
    create_secret(folder / "secrets")
    rotate_secret(folder / "secrets")
    return [folder / "secrets"]


def read_all_secrets(folder: Path) -> Iterator[Hashable]:
    try:
        yield from map(msgspec.structs.astuple, read_secrets(folder / "secrets"))
    except WebhookSecretError as error:
        raise FoundError(str(error)) from error


KINDS = (
    Kind("tokens", "a CRC-32 of the file", make_tokens, read_all_tokens),
    Kind("webhook secrets", "a CRC-32 of the file", make_secrets, read_all_secrets),
    Kind("upload on its way", "the SHA-256 that its sender has given", make_part, read_part),
    Kind("notes of uploads", "a CRC-32 in each row; SQLite's integrity check", make_upload_notes, read_upload_notes),
    Kind("notes of webhooks", "a CRC-32 in each row; SQLite's integrity check", make_webhook_notes, read_webhook_notes),
)
