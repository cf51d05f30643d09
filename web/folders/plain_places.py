"""Absolute paths and URLs of object storage, as one kind of text. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from protocol.project_url import ProjectUrl, is_project_url


def plain_place(text: str) -> str:
    """The text in its one form: no slash at the end, and no "..". "" for a text that has no such form."""
    if is_project_url(text):
        try:
            return str(ProjectUrl.parse_root(text))
        except ValueError:
            return ""
    place = PurePosixPath(text)
    return "" if ".." in place.parts or "\0" in text or not place.is_absolute() else str(place)


def shown_place(text: str) -> str:
    """The text for a message. Of a bad URL hardly anything is shown, because there may be a password in it."""
    if is_project_url(text) and not plain_place(text):
        return repr(f"{text.partition(':')[0]}://…")
    return repr(text[:200])


def is_inside(place: str, folder: str) -> bool:
    """Whether a plain place is the folder or lies below it."""
    return place == folder or place.startswith(f"{folder.rstrip('/')}/")


def below(folder: str, *names: str) -> str:
    """The place at the end of these names from a folder."""
    return "/".join((folder.rstrip("/"), *names))


def above(place: str) -> str:
    """The folder that a place lies in."""
    return place.rpartition("/")[0] or "/"
