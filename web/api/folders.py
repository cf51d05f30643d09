"""Folders below the data roots, as a person browses them, and small copies of pictures."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.prediction import MOST_THUMBNAIL_PX

MOST_PATH_CHARS = 4096
#: The most folders and pictures on one page.
MOST_LISTED = 500
LEAST_THUMBNAIL_PX = 64

ThumbnailSize = Annotated[
    int, Meta(ge=LEAST_THUMBNAIL_PX, le=MOST_THUMBNAIL_PX, description="the longest side in pixels; never enlarged")
]


class FolderQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which folder, and which page of it."""

    path: Annotated[
        str, Meta(max_length=MOST_PATH_CHARS, description="the absolute path; empty for the folders at the top")
    ] = ""
    cursor: Annotated[str, Meta(max_length=1000, description="`next` of the page before")] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="the most folders and pictures on the page")] = 100


class ListedFolder(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A folder in a folder. What lies deeper is not counted."""

    name: str
    path: Annotated[str, Meta(description="the absolute path")]
    pictures: Annotated[int, Meta(description="how many pictures lie in it directly")]
    folders: Annotated[int, Meta(description="how many folders lie in it directly")]
    more: Annotated[bool, Meta(description="whether there are more: counting ends at a limit")]


class ListedPicture(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A file that may be a picture, by its name."""

    name: str
    path: Annotated[str, Meta(description="the absolute path")]
    size_bytes: int


class FolderListing(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A page of a folder: first the folders in it by name, then the pictures by name."""

    path: Annotated[str, Meta(description="the absolute path; empty for the list of the data roots")]
    parent: Annotated[str | None, Meta(description="the path of the folder above; null at the top")]
    folders: tuple[ListedFolder, ...]
    pictures: tuple[ListedPicture, ...]
    other_files: Annotated[int, Meta(description="files in the folder that are no pictures, and links")]
    cut_off: Annotated[bool, Meta(description="whether the folder has so many entries that the rest is left out")]
    next: Annotated[str, Meta(description="the cursor of the next page; empty after the last one")]


class ThumbnailQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which picture, and how large."""

    path: Annotated[str, Meta(min_length=1, max_length=MOST_PATH_CHARS, description="the absolute path of a picture")]
    size: ThumbnailSize = 160


class PictureQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """How large."""

    size: ThumbnailSize = 320
