"""Pictures that are uploaded into a new project, part by part."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

#: The largest part of a picture that one call may send.
CHUNK_BYTES = 1024**2
MOST_FIELD_CHARS = 400

#: open: parts are missing. stored: the picture lies in the project. duplicate: the class already has the same picture.
UploadState = Literal["open", "stored", "duplicate"]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class UploadLimits(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Whether pictures may be uploaded, and the bounds."""

    enabled: Annotated[bool, Meta(description="whether this server takes pictures")]
    max_picture_bytes: Annotated[int, Meta(description="the largest picture")]
    max_pictures: Annotated[int, Meta(description="the most pictures of a project")]
    max_project_bytes: Annotated[int, Meta(description="the most bytes of all pictures of a project")]


class NewUpload(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A picture that is about to be sent. Each text becomes the name of one folder, or of the file."""

    user_id: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the website's user")]
    project_id: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the project, which may be new")]
    label: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the class of the picture")]
    name: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the name of the file, such as rose.jpg")]
    size_bytes: Annotated[int, Meta(ge=1, le=2**53, description="the size of the file")]
    sha256: Annotated[
        Sha256 | UnsetType,
        Meta(description="the SHA-256 of the file, 64 hexadecimal digits; with it, a duplicate need not be sent"),
    ] = UNSET


class UploadView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An upload, and how far it is."""

    upload_id: Annotated[str, Meta(description="for the calls that send its parts; empty if nothing is to be sent")]
    project_dir: Annotated[str, Meta(description="the folder of the project, to be posted when all have arrived")]
    picture: Annotated[str, Meta(description="its path in projectDir; empty until it is stored")]
    state: UploadState
    offset: Annotated[int, Meta(description="how many bytes have arrived; the next part begins there")]
    size_bytes: int
    chunk_bytes: Annotated[int, Meta(description="the largest part that one call may send")]
    duplicate_of: Annotated[str, Meta(description="the same picture in projectDir, if it is a duplicate; else empty")]


class UploadsQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The project that is wanted."""

    user_id: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the website's user")]
    project_id: Annotated[str, Meta(max_length=MOST_FIELD_CHARS, description="the project")]


class LabelUploads(msgspec.Struct, frozen=True, rename="camel"):
    """A class of an uploaded project."""

    label: str
    pictures: int


class ProjectUploads(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What lies in the folder of an uploaded project."""

    project_dir: str
    labels: Annotated[tuple[LabelUploads, ...], Meta(description="the classes by name")]
    pictures: Annotated[int, Meta(description="of all classes together")]
    size_bytes: Annotated[int, Meta(description="of all pictures together")]
    limits: UploadLimits
