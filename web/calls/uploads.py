"""`/v1/uploads`: pictures for a new project, one by one and part by part."""

from __future__ import annotations

import re

from web.answers.refusal import Refusal
from web.api.uploads import NewUpload
from web.json_handler import JsonHandler
from web.reading.form import check_coding, media_type_of
from web.uploads.upload_desk import UploadDesk
from web.uploads.upload_requests import names_of, project_of, refuse_too_large

RAW_TYPE = "application/octet-stream"
OFFSET_HEADER = "Upload-Offset"
_OFFSET = re.compile(r"[0-9]{1,15}")


class UploadsHandler(JsonHandler):
    """POST begins an upload. GET tells what lies in a project."""

    async def post(self) -> None:
        new, uploads = self.read_body(NewUpload), self.services.uploads
        self.caller.check_sees(new.user_id, "upload pictures for")
        names = names_of(new)
        refuse_too_large(new, uploads.limits)
        view = await uploads.call(UploadDesk.begin, new, names)
        if view.upload_id:
            self.set_header("Location", f"/v1/uploads/{view.upload_id}")
        self.send(view, status=201)

    async def get(self) -> None:
        self.caller.check_sees(self.query.user_id, "look at the uploads of")
        user_id, project_id = project_of(self.query.user_id, self.query.project_id)
        self.send(await self.services.uploads.call(UploadDesk.overview, user_id, project_id))


class UploadHandler(JsonHandler):
    """`/v1/uploads/{uploadId}`: POST adds a part. GET tells how far the upload is."""

    async def post(self, upload_id: str) -> None:
        part, self.body = self.body, b""
        view = await self.services.uploads.call(UploadDesk.append, upload_id, self.caller, self._offset(part), part)
        self.send(view)

    async def get(self, upload_id: str) -> None:
        self.send(await self.services.uploads.call(UploadDesk.look, upload_id, self.caller))

    def _offset(self, part: bytes) -> int:
        """Where the part begins, by its header. Raises Refusal if the part can't be read."""
        if media_type_of(self.request.headers) != RAW_TYPE:
            raise Refusal("unsupported_media_type", f"Send the bytes of the picture as they are, as {RAW_TYPE}.")
        check_coding(self.request.headers)
        text = self.request.headers.get(OFFSET_HEADER, "")
        if not _OFFSET.fullmatch(text):
            words = f"{OFFSET_HEADER} is {text[:40]!r}; send the header with the number of bytes that have arrived."
            raise Refusal("bad_fields", words, fields={OFFSET_HEADER: words})
        if not part:
            raise Refusal("bad_fields", "The body is empty; send the next bytes of the picture.")
        return int(text)
