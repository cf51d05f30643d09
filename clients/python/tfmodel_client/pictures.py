"""Pictures as callers pass them, and the calls that send them to a project or show them small."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tfmodel_client.calls import post
from tfmodel_client.errors import ConflictError, UnreadableAnswerError
from tfmodel_client.paths import path_of, query_of
from tfmodel_client.retrying import KEY, TRIES, ask, exchange, new_id
from tfmodel_client.steps import Plan, Request, work
from tfmodel_client.types import ProjectUploads, Upload

#: A path, or the bytes of a picture file.
Picture = str | os.PathLike[str] | bytes


def read_picture(picture: Picture, name: str) -> tuple[str, bytes]:
    """The name of a picture and its bytes. name: for bytes, which have none of their own."""
    if isinstance(picture, bytes):
        return name, picture
    path = Path(picture)
    return path.name, path.read_bytes()


def upload(picture: Picture, user_id: str, project_id: str, label: str, name: str = "") -> Plan[Upload]:
    """Send a picture into a class of a project. `submit` then trains on the answer's `project_dir`.

    picture: a path on this machine or the bytes of a picture file. name: of the file in the project, such as
    "rose.jpg"; a path has its own. A picture that the class has already is not sent again; the answer's state is
    "duplicate" then. An upload that was interrupted goes on where it was.
    """
    if isinstance(picture, bytes) and not name:
        raise ValueError('Bytes have no name; pass name="rose.jpg", or the path of the file as picture.')
    own_name, content = yield from work(lambda: read_picture(picture, name))
    fields = {
        "userId": user_id,
        "projectId": project_id,
        "label": label,
        "name": name or own_name,
        "sizeBytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),  # With it, a second arrival finds what the first has begun.
    }
    so_far = yield from ask(post("/v1/uploads", new_id(), fields), Upload)
    while so_far.state == "open":
        before_bytes = so_far.offset
        so_far = yield from _send_part(so_far, content)
        if so_far.state == "open" and so_far.offset <= before_bytes:
            raise UnreadableAnswerError(f"The upload of {fields['name']} does not advance beyond {before_bytes} bytes.")
    return so_far


def _send_part(so_far: Upload, content: bytes) -> Plan[Upload]:
    part = content[so_far.offset : so_far.offset + so_far.chunk_bytes]
    path = path_of("v1", "uploads", so_far.upload_id)
    # The offset keeps a part from being added twice, so it may be sent again; the key says so.
    headers = {KEY: new_id(), "Content-Type": "application/octet-stream", "Upload-Offset": str(so_far.offset)}
    try:
        return (yield from ask(Request("POST", path, headers=headers, body=part), Upload))
    except ConflictError as error:
        if error.code != "wrong_offset":
            raise
        # The part had arrived, and the answer was lost.
        return (yield from ask(Request("GET", path), Upload))


def uploads(user_id: str, project_id: str) -> Plan[ProjectUploads]:
    """What lies in the folder of an uploaded project: its classes, how many pictures each has, and the limits."""
    return ask(Request("GET", "/v1/uploads", query_of({"user_id": user_id, "project_id": project_id})), ProjectUploads)


def thumbnail(path: str, size: int | None = None) -> Plan[bytes]:
    """A small copy of a picture in the data roots, as JPEG.

    path: as the server sees it. size: of its longest side, in pixels.
    """
    return _jpeg("/v1/thumbnails", {"path": path, "size": size})


def task_picture(task_id: str, name: str, size: int | None = None) -> Plan[bytes]:
    """A small copy of a picture in a task's project folder, as JPEG.

    name: its path in that folder, as metrics.json and `compare` name it. size: of its longest side, in pixels.
    """
    return _jpeg(path_of("v1", "tasks", task_id, "pictures", *name.split("/")), {"size": size})


def _jpeg(path: str, query: dict[str, object]) -> Plan[bytes]:
    answer = yield from exchange(Request("GET", path, query_of(query)), TRIES)
    return answer.body
