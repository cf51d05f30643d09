"""Reads the headers of many pictures within a given time, without decoding a pixel."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainer_worker.pictures.images import (
    TURNS_THAT_SWAP_SIDES,
    OpenPicture,
    PictureReader,
    UnreadableImageError,
    opened,
    orientation,
)

#: This many files are read however little time is left, so that a small folder is always looked at as a whole.
LEAST_READ = 200


class Header(NamedTuple):
    """size: (height, width) in pixels of the upright picture. turn: the EXIF orientation that made it upright."""

    size: tuple[int, int]
    turn: int


@dataclass
class Headers:
    """What was read, by the path relative to the project, in the order of paths.

    unreadable: files that are no readable pictures. unread: the number of files that there was no time for.
    """

    seen: dict[str, Header] = field(default_factory=dict)
    unreadable: dict[str, UnreadableImageError] = field(default_factory=dict)
    unread: int = 0


def read_headers(reader: PictureReader, groups: Sequence[Sequence[str]], until_s: float) -> Headers:
    """Read the headers of files until the monotonic time until_s.

    groups: paths relative to the project; those of a group, such as a picture and its mask, are read together. If there
    is no time for all groups, those that are read are a random sample, so that every class has its share.
    """
    found = Headers()
    done = 0
    for group in in_sample_order(groups):
        if done >= LEAST_READ and time.monotonic() >= until_s:
            break
        for path in group:
            try:
                with opened(reader, reader.files.project_dir / path) as picture:
                    found.seen[path] = _header(picture)
            except UnreadableImageError as error:
                found.unreadable[path] = error
        done += len(group)
    return Headers(
        dict(sorted(found.seen.items())), dict(sorted(found.unreadable.items())), sum(map(len, groups)) - done
    )


def in_sample_order(groups: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The groups in the order in which they are read, which is random but always the same."""
    return random.Random(0).sample(groups, len(groups))


def _header(picture: OpenPicture) -> Header:
    """The EXIF orientation of a PNG may stand behind its pixels, which are not read here."""
    width, height = picture.full_size
    image = picture.image
    # Pillow turns a TIFF by itself, and gives the size after that.
    is_upright = image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info)
    turn = 1 if is_upright else orientation(image)
    return Header((width, height) if turn in TURNS_THAT_SWAP_SIDES else (height, width), turn)
