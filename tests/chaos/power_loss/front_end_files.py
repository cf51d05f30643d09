"""Scenarios of the files that the front-end writes: uploads, corrections and webhooks."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from protocol.corrections import Action, Correction, CorrectionsError
from tests.chaos.power_loss.recording import mark
from tests.chaos.power_loss.scenario import Problem
from web.answers.refusal import Refusal
from web.api.uploads import NewUpload, UploadLimits
from web.door.token_gate import Caller
from web.folders.corrections_on_disk import change_table, read_table
from web.uploads.upload_desk import UploadDesk
from web.uploads.upload_folders import UploadFolders
from web.uploads.upload_requests import Names
from web.uploads.upload_store import UploadStore
from web.webhooks.delivery import NewDelivery, Times
from web.webhooks.store import Store

LIMITS = UploadLimits(enabled=True, max_picture_bytes=10**6, max_pictures=100, max_project_bytes=10**8)
ANYONE = Caller()
ROSES, TULIPS = "roses", "tulips"


def picture(number: int) -> bytes:
    """Bytes that begin as a JPEG does."""
    return b"\xff\xd8\xff\xe0" + bytes([number + 1]) * 12_000


class Uploading:
    """Photos come in parts into two classes. Not all of them say their hash before."""

    name = "uploads"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        (folder / "root").mkdir()
        (folder / "state").mkdir()

    def act(self, folder: Path) -> None:
        desk = self.desk(folder, "before the cut")
        for number in range(4):
            content, label = picture(number), ROSES if number % 2 else TULIPS
            view = desk.begin(self.new(number, label), Names("anna", "p", label, f"{number}.jpg"))
            for begin in range(0, len(content), 5000):
                view = desk.append(view.upload_id, ANYONE, begin, content[begin : begin + 5000])
            mark(f"stored {label} {number}")
        view = desk.begin(self.new(9, ROSES), Names("anna", "p", ROSES, "9.jpg"))
        desk.append(view.upload_id, ANYONE, 0, picture(9)[:5000])
        mark(f"open {view.upload_id} 5000")
        desk.append(view.upload_id, ANYONE, 5000, picture(9)[5000:10_000])
        mark(f"open {view.upload_id} 10000")
        desk.close()

    def new(self, number: int, label: str) -> NewUpload:
        content = picture(number)
        names = {"user_id": "anna", "project_id": "p", "label": label, "name": f"{number}.jpg"}
        hashed = {"sha256": hashlib.sha256(content).hexdigest()} if number % 2 == 0 else {}
        return NewUpload(**names, size_bytes=len(content), **hashed)

    def desk(self, folder: Path, system: str) -> UploadDesk:
        store = UploadStore(folder / "state" / "uploads.sqlite3")
        return UploadDesk(store, UploadFolders(folder / "root", system), LIMITS, lambda: 1e6, 1)

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        try:
            desk = self.desk(folder, "after the cut")
        except sqlite3.Error as error:
            yield Problem("torn", f"the front-end can't take uploads: {error}")
            return
        project = folder / "root" / "uploads" / "anna" / "p"
        for words in marks:
            state, *about = words.split()
            if state == "stored":
                file = project / about[0] / f"{about[1]}.jpg"
                if not file.exists() or file.read_bytes() != picture(int(about[1])):
                    yield Problem("lost", f"{about[1]}.jpg was stored")
            else:
                yield from self._go_on(desk, project, about[0])
        for file in project.rglob("*.jpg"):
            if file.read_bytes() != picture(int(file.stem)):
                yield Problem("torn", f"{file.name} in the project is not the picture that was sent")
        desk.close()

    def _go_on(self, desk: UploadDesk, project: Path, upload_id: str) -> Iterator[Problem]:
        """Send the rest of a picture, as a browser does after the front-end was away. It may have to begin anew."""
        try:
            offset = desk.look(upload_id, ANYONE).offset
            view = desk.append(upload_id, ANYONE, offset, picture(9)[offset:])
        except Refusal as refusal:
            if refusal.problem.code not in ("unknown_upload", "bad_picture"):
                yield Problem("torn", f"the upload can't go on: {refusal.problem.code}")
            return
        if view.state == "stored" and (project / ROSES / "9.jpg").read_bytes() != picture(9):
            yield Problem("torn", "an upload that went on became another picture than was sent")


class Correcting:
    """A person corrects the class of pictures, one after the other, and takes a correction back."""

    name = "corrections"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        (folder / "p").mkdir()

    def act(self, folder: Path) -> None:
        for number in range(4):
            change_table(
                str(folder / "p"), [folder], {f"{number}.jpg": Correction(f"{number}.jpg", Action.LABEL, "rose")}
            )
            mark(f"corrected {number}.jpg")
        for number in range(4):
            change_table(str(folder / "p"), [folder], {f"{number}.jpg": None})
            mark(f"undone {number}.jpg")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        try:
            rows = read_table(str(folder / "p"), [folder]).rows
        except CorrectionsError as error:
            yield Problem("torn", str(error))
            return
        found = {row.correction.picture for row in rows if row.correction is not None}
        told = {name: state for state, name in map(str.split, marks)}
        # The change that is under way may be on the disk before anybody is told.
        number = len(marks)
        next_one = f"{number % 4}.jpg" if number < 8 else ""
        for name, state in told.items():
            if name != next_one and (name in found) != (state == "corrected"):
                yield Problem("lost", f"{name} was {state}")


class Webhooks:
    """Events are handed over for a destination. What is lost is handed over again, from the journal."""

    name = "webhooks"
    needs_synced_folders = False

    def prepare(self, folder: Path) -> None:
        pass

    def act(self, folder: Path) -> None:
        store = Store(folder / "state" / "webhooks.sqlite3")
        store.open_destinations(["site"], ["site"], 0, 1000.0)
        for number in range(1, 9):
            store.hand_over(["site"], [self.delivery(number)], number, Times(1000.0, 2000.0))
            mark(f"handed_over {number}")
        store.close()

    def delivery(self, number: int) -> NewDelivery:
        return NewDelivery(f"id{number}", "site", "site", "", f"task{number}", number, "task.done", b"{}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        path = folder / "state" / "webhooks.sqlite3"
        try:
            store = Store(path)
            records = store.records()
            due = {each.event_id for each in store.look({"site": 100}, 1500.0).due}
            store.close()
        except sqlite3.Error as error:
            yield Problem("torn", f"the front-end can't send webhooks: {error}")
            return
        up_to = records[0].handed_over if records else 0
        if due != set(range(1, up_to + 1)):
            yield Problem("torn", f"the events up to {up_to} count as handed over, and {sorted(due)} are there")
