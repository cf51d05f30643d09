"""Takes uploads: says what is to be sent, adds the parts, and puts a picture into its project when all have arrived.

All calls run in one thread, one after the other. So two callers who send the same picture can't mix their parts, and
space that was reserved for one is not given to another. All methods raise Refusal, sqlite3.Error and OSError.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from msgspec import UNSET
from msgspec.structs import replace

from protocol.picture_kinds import START_BYTES, starts_as_picture
from protocol.sizes import MB, size_in_words, whole_mb
from web.answers.refusal import Refusal
from web.api.uploads import CHUNK_BYTES, LabelUploads, NewUpload, ProjectUploads, UploadLimits, UploadView
from web.door.token_gate import Caller
from web.uploads.incoming import WrongOffsetError
from web.uploads.upload_requests import Names
from web.uploads.upload_store import Upload, UploadStore
from web.uploads.uploaded_pictures import UploadedPictures

#: An upload that has been silent for this long is forgotten, with what has arrived of it.
FORGET_AFTER_S = 86400.0
#: One that has been silent for this long makes room for others, if there are too many.
GIVES_WAY_AFTER_S = 600.0
#: The most open uploads of one project, of one user, and of all. So one user alone can't keep the others out.
MOST_OPEN = 64
MOST_OPEN_OF_USER = 128
MOST_OPEN_OF_ALL = 512
#: How often forgotten uploads are looked for, and how often the time of an upload's last part is noted.
TIDY_EVERY_S = 600.0
TOUCH_EVERY_S = 60.0
#: How often a full project is looked through for pictures that were removed.
LOOK_EVERY_S = 5.0


class UploadDesk:
    def __init__(
        self,
        store: UploadStore,
        pictures: UploadedPictures,
        limits: UploadLimits,
        free_mb: Callable[[], float],
        min_free_mb: int,
    ) -> None:
        """free_mb: tells how much space is free in the data root. min_free_mb: how much has to stay free."""
        self._store, self._pictures, self._limits = store, pictures, limits
        self._free_mb, self._min_free_mb = free_mb, min_free_mb
        self._tidied_at_s = 0.0
        #: When a full project was last looked through. Time as time.monotonic() has it.
        self._looked_at_s: dict[tuple[str, str], float] = {}

    def close(self) -> None:
        self._store.close()

    # ---- calls ----

    def begin(self, new: NewUpload, names: Names) -> UploadView:
        """Make room for a picture, or find that it is there already."""
        self._pictures.path_of(names.user_id, names.project_id)
        now_s = time.time()
        self._tidy(now_s)
        upload = Upload(
            upload_id=secrets.token_hex(16),
            user_id=names.user_id,
            project_id=names.project_id,
            label=names.label,
            name=names.name,
            size_bytes=new.size_bytes,
            sha256="" if new.sha256 is UNSET else new.sha256,
            touched_at_s=now_s,
        )
        if upload.sha256:
            if (other := self._stored_already(upload)) is not None:
                return self._view(replace(upload, upload_id="", state="duplicate", picture=other.picture))
            if (before := self._begun_before(upload)) is not None:
                return self._current(before)
        self._refuse_too_much(upload)
        self._make_room(upload, now_s)
        self._pictures.incoming.create(upload.upload_id)
        self._store.save(upload)
        return self._view(upload)

    def append(self, upload_id: str, caller: Caller, offset: int, part: bytes) -> UploadView:
        """Add a part of a picture."""
        upload = self._find(upload_id, caller)
        if upload.state != "open":
            return self._view(upload)
        if offset + len(part) > upload.size_bytes:
            raise Refusal(
                "bad_fields",
                f"With this part the picture would have {offset + len(part)} bytes, but the upload was begun for "
                f"{upload.size_bytes}; send the rest only, or begin a new upload.",
            )
        if not offset and len(part) >= START_BYTES:
            self._refuse_no_picture(upload, part)
        try:
            arrived_bytes = self._pictures.incoming.append(upload_id, offset, part)
        except WrongOffsetError as error:
            raise _wrong_offset(error.offset) from error
        now_s = time.time()
        if _apart_s(now_s, upload.touched_at_s) > TOUCH_EVERY_S:
            upload = replace(upload, touched_at_s=now_s)
            self._store.save(upload)
        if arrived_bytes == upload.size_bytes:
            upload = self._finish(upload)
        return self._view(upload, arrived_bytes)

    def look(self, upload_id: str, caller: Caller) -> UploadView:
        """How far an upload is."""
        return self._current(self._find(upload_id, caller))

    def overview(self, user_id: str, project_id: str) -> ProjectUploads:
        """What lies in the folder of a project."""
        found = self._pictures.count(user_id, project_id)
        return ProjectUploads(
            project_dir=self._pictures.path_of(user_id, project_id),
            labels=tuple(LabelUploads(label, each.pictures) for label, each in found.items()),
            pictures=sum(each.pictures for each in found.values()),
            size_bytes=sum(each.size_bytes for each in found.values()),
            limits=self._limits,
        )

    # ---- the end of an upload ----

    def _finish(self, upload: Upload) -> Upload:
        """All parts have arrived."""
        arrived = self._pictures.incoming.arrived(upload.upload_id)
        self._refuse_no_picture(upload, arrived.start)
        if upload.sha256 and upload.sha256 != arrived.sha256:
            self._drop(upload)
            raise Refusal(
                "bad_picture",
                "The bytes that have arrived have another SHA-256 than the one that the upload was begun with, so they "
                "were deleted; begin a new upload of this picture.",
            )
        upload = replace(upload, sha256=arrived.sha256, touched_at_s=time.time())
        if (other := self._stored_already(upload)) is not None:
            ended = replace(upload, state="duplicate", picture=other.picture)
        else:
            placed = self._pictures.place(upload)
            state = "duplicate" if placed.is_duplicate else "stored"
            ended = replace(upload, state=state, picture=f"{upload.label}/{placed.name}")
        self._store.save(ended)
        self._pictures.incoming.remove(upload.upload_id)
        return ended

    def _stored_already(self, upload: Upload) -> Upload | None:
        """The same picture of the same class, unless somebody has removed it since."""
        for other in self._store.same_content(upload):
            if other.state == "stored":
                if self._pictures.has(other):
                    return other
                self._store.remove(other.upload_id)
        return None

    def _begun_before(self, upload: Upload) -> Upload | None:
        """An open upload of the same picture under the same name, as its hash tells. Parts of it may have arrived."""
        for other in self._store.same_content(upload):
            if (other.state, other.name, other.size_bytes) == ("open", upload.name, upload.size_bytes):
                return other
        return None

    def _refuse_no_picture(self, upload: Upload, start: bytes) -> None:
        if not starts_as_picture(start):
            self._drop(upload)
            raise Refusal(
                "bad_picture",
                f"{upload.name} does not begin as a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF does, so it is no picture "
                "that can be read; save it as JPEG or PNG (HEIC photos of iPhones too) and upload it again.",
            )

    def _drop(self, upload: Upload) -> None:
        self._store.remove(upload.upload_id)
        self._pictures.incoming.remove(upload.upload_id)

    # ---- views ----

    def _find(self, upload_id: str, caller: Caller) -> Upload:
        upload = self._store.get(upload_id)
        if upload is None or not caller.sees(upload.user_id):
            raise _unknown(upload_id)
        return upload

    def _current(self, upload: Upload) -> UploadView:
        """How far the upload is. If all has arrived before a restart, it is finished now."""
        if upload.state != "open":
            return self._view(upload)
        try:
            arrived_bytes = self._pictures.incoming.size_of(upload.upload_id)
        except FileNotFoundError:
            self._store.remove(upload.upload_id)
            raise _unknown(upload.upload_id) from None
        if arrived_bytes == upload.size_bytes:
            upload = self._finish(upload)
        return self._view(upload, arrived_bytes)

    def _view(self, upload: Upload, arrived_bytes: int = 0) -> UploadView:
        is_duplicate = upload.state == "duplicate"
        return UploadView(
            upload_id=upload.upload_id,
            project_dir=self._pictures.path_of(upload.user_id, upload.project_id),
            picture="" if is_duplicate else upload.picture,
            state=upload.state,
            offset=arrived_bytes if upload.state == "open" else upload.size_bytes,
            size_bytes=upload.size_bytes,
            chunk_bytes=CHUNK_BYTES,
            duplicate_of=upload.picture if is_duplicate else "",
        )

    # ---- limits ----

    def _refuse_too_much(self, upload: Upload) -> None:
        """Raise Refusal if the project or the disk has no room. Open uploads count like stored ones."""
        if self._is_full(upload):
            self._forget_removed(upload.user_id, upload.project_id)
            if self._is_full(upload):
                limits = self._limits
                raise Refusal(
                    "project_full",
                    f"The project may have {limits.max_pictures} uploaded pictures with "
                    f"{size_in_words(limits.max_project_bytes)} together ([web] max_upload_pictures, "
                    "max_upload_project_mb), and this one would be too much; remove some, or use another project.",
                )
        reserved_mb = sum(other.size_bytes for other in self._store.open_ones()) / MB
        free_mb = self._free_mb() - reserved_mb - upload.size_bytes / MB
        if free_mb < self._min_free_mb:
            raise Refusal(
                "disk_nearly_full",
                f"With this picture and the open uploads, only {whole_mb(free_mb)} would be free where uploads "
                f"lie, and {whole_mb(self._min_free_mb)} are needed ([web] min_free_mb); free some space "
                "and upload it again.",
            )

    def _forget_removed(self, user_id: str, project_id: str) -> None:
        """Forget pictures that somebody has removed from the folder. Looking for thousands takes a while."""
        now_s = time.monotonic()
        if now_s < self._looked_at_s.get((user_id, project_id), 0.0) + LOOK_EVERY_S:
            return
        for removed in self._pictures.gone(self._store.stored(user_id, project_id)):
            self._store.remove(removed.upload_id)
        self._looked_at_s[user_id, project_id] = time.monotonic()

    def _is_full(self, upload: Upload) -> bool:
        total = self._store.total(upload.user_id, upload.project_id)
        too_large = total.size_bytes + upload.size_bytes > self._limits.max_project_bytes
        return total.pictures >= self._limits.max_pictures or too_large

    def _make_room(self, upload: Upload, now_s: float) -> None:
        """Let silent uploads give way if too many are on their way."""
        open_ones = self._store.open_ones()
        of_user = [each for each in open_ones if each.user_id == upload.user_id]
        of_project = [each for each in of_user if each.project_id == upload.project_id]
        groups = ((of_project, MOST_OPEN), (of_user, MOST_OPEN_OF_USER), (open_ones, MOST_OPEN_OF_ALL))
        for group, most in groups:
            if len(group) < most:
                continue
            silent = max(group, key=lambda each: _apart_s(now_s, each.touched_at_s))
            if _apart_s(now_s, silent.touched_at_s) < GIVES_WAY_AFTER_S:
                raise Refusal(
                    "uploads_busy",
                    f"{most} uploads are open already; finish some of them before you begin others.",
                )
            self._drop(silent)

    def _tidy(self, now_s: float) -> None:
        """Forget uploads that were given up."""
        if _apart_s(now_s, self._tidied_at_s) < TIDY_EVERY_S:
            return
        self._tidied_at_s = now_s
        self._looked_at_s.clear()
        for upload in self._store.open_ones():
            if _apart_s(now_s, upload.touched_at_s) > FORGET_AFTER_S:
                self._drop(upload)
        self._store.forget_duplicates(now_s - FORGET_AFTER_S)
        self._pictures.incoming.remove_all_but({upload.upload_id for upload in self._store.open_ones()})


def _apart_s(now_s: float, then_s: float) -> float:
    """How far apart two times are. A clock that was set back must not keep an upload for years."""
    return abs(now_s - then_s)


def _unknown(upload_id: str) -> Refusal:
    return Refusal(
        "unknown_upload",
        f"There is no upload {upload_id[:80]}; it may have been silent for more than a day. Begin it again.",
    )


def _wrong_offset(offset: int) -> Refusal:
    words = f"{offset} bytes of this picture have arrived; send the rest from there, with 'Upload-Offset: {offset}'."
    refusal = Refusal("wrong_offset", words, fields={"Upload-Offset": words})
    refusal.headers["Upload-Offset"] = str(offset)
    return refusal
