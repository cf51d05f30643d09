"""Folders below the data roots, as a person browses them, and small copies of pictures."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.prediction import MOST_THUMBNAIL_PX
from web.api.url_text import UrlText

#: The most folders and pictures on one page.
MOST_LISTED = 500
LEAST_THUMBNAIL_PX = 64

ThumbnailSize = Annotated[
    int,
    Meta(
        ge=LEAST_THUMBNAIL_PX,
        le=MOST_THUMBNAIL_PX,
        description="the longest side in pixels; a smaller picture keeps its size",
    ),
]


class FolderQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The folder that is wanted, and the page of it."""

    path: Annotated[UrlText, Meta(description="the absolute path, or a URL; empty for the folders at the top")] = ""
    cursor: Annotated[str, Meta(max_length=1000, description="`next` of the page before")] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="the most folders and pictures on the page")] = 100


class ListedFolder(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A folder in the listed folder. Only what lies in it directly is counted."""

    name: str
    path: Annotated[str, Meta(description="the absolute path")]
    pictures: Annotated[int, Meta(description="how many pictures lie in it directly")]
    folders: Annotated[int, Meta(description="how many folders lie in it directly")]
    more: Annotated[bool, Meta(description="whether there may be more, because counting has ended at a limit")]


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
    """The picture that is wanted, and its size."""

    path: Annotated[UrlText, Meta(min_length=1, description="the absolute path or the URL of a picture")]
    size: ThumbnailSize = 160


class PictureQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The size that is wanted."""

    size: ThumbnailSize = 320
