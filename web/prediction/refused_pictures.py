"""Pictures that are refused before a runtime process sees them."""

from __future__ import annotations

from protocol.prediction import MOST_PICTURE_BYTES, Picture, PictureRefused, SentPicture
from protocol.sizes import MB

TOO_LARGE = PictureRefused(
    "picture_too_large",
    f"The picture has more than {MOST_PICTURE_BYTES // MB} MB; save it smaller, for example as a JPEG.",
)
NOT_IN_PROJECT = PictureRefused(
    "bad_picture",
    "path is not the path of a picture of the user's below projectDir; send it relative to projectDir, without '..'. "
    "The folders models and .tfmodel hold no pictures.",
)


def without_too_large(picture: Picture) -> Picture | PictureRefused:
    """The picture, or its refusal if it is larger than one may be."""
    too_large = isinstance(picture, SentPicture) and len(picture.content) > MOST_PICTURE_BYTES
    return TOO_LARGE if too_large else picture
