"""Reads what a caller wants to upload, and refuses what can't be stored. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from protocol.picture_kinds import UPLOAD_SUFFIXES, has_picture_suffix
from web.answers.refusal import Refusal
from web.api.uploads import NewUpload, UploadLimits
from web.uploads.upload_names import BadNameError, part_of_id, part_of_path


class Names(NamedTuple):
    """The names of the folders and of the file. Each is one part of a path."""

    user_id: str
    project_id: str
    label: str
    name: str


def project_of(user_id: str, project_id: str) -> tuple[str, str]:
    """The folders of a project. Raises Refusal that names every bad field."""
    user, project = _parts({"userId": (user_id, part_of_id), "projectId": (project_id, part_of_id)})
    return user, project


def names_of(new: NewUpload) -> Names:
    """Raises Refusal that names every bad field."""
    parts = _parts(
        {
            "userId": (new.user_id, part_of_id),
            "projectId": (new.project_id, part_of_id),
            "label": (new.label, part_of_path),
            "name": (new.name, _picture_name),
        }
    )
    return Names(*parts)


def refuse_too_large(new: NewUpload, limits: UploadLimits) -> None:
    """Raise Refusal for a picture that is larger than one may be."""
    if new.size_bytes > limits.max_picture_bytes:
        raise Refusal(
            "picture_too_large",
            f"The picture has {new.size_bytes} bytes, and at most {limits.max_picture_bytes} are allowed "
            "([web] max_upload_mb); save it smaller, for example as a JPEG.",
            fields={"sizeBytes": f"At most {limits.max_picture_bytes} bytes are allowed."},
        )


def _picture_name(text: str) -> str:
    part = part_of_path(text)
    if not has_picture_suffix(part):
        kinds = ", ".join(UPLOAD_SUFFIXES)
        raise BadNameError(f"is not the name of a picture that can be read ({kinds}); save it as one of these")
    return part


def _parts(fields: dict[str, tuple[str, Callable[[str], str]]]) -> list[str]:
    parts: list[str] = []
    problems: dict[str, str] = {}
    for field, (text, read) in fields.items():
        try:
            parts.append(read(text))
        except BadNameError as error:
            problems[field] = f"{field}={text[:80]!r} {error}."
    if problems:
        raise Refusal("bad_fields", " ".join(problems.values())[:2000], fields=problems)
    return parts
