"""Calls for folders and thumbnails at a real front-end, and pictures to look at."""

from __future__ import annotations

import io
import urllib.parse
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from tests.security.raw_http import RawAnswer, ask
from tests.socket.programs import Programs


def draw(path: Path, size: tuple[int, int] = (300, 200), colour: str = "red", turn: int = 0) -> Path:
    """A picture of one colour. turn: its EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if turn:
        exif[ExifTags.Base.Orientation] = turn
    Image.new("RGB", size, colour).save(path, exif=exif)
    return path


def look(programs: Programs, call: str, *lines: str, **query: object) -> RawAnswer:
    """A GET below /v1. lines: further headers."""
    given = {name: value for name, value in query.items() if value is not None}
    text = f"?{urllib.parse.urlencode(given)}" if given else ""
    return ask(programs.ports["WEB_PORT"], f"GET /v1/{urllib.parse.quote(call)}{text} HTTP/1.1", *lines)


def listed(programs: Programs, path: Path | str = "", *lines: str, **query: object) -> dict[str, Any]:
    answer = look(programs, "folders", *lines, path=str(path) or None, **query)
    assert answer.status == 200, answer
    return answer.json()


def shown(answer: RawAnswer) -> Image.Image:
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "image/jpeg"
    image = Image.open(io.BytesIO(answer.body))
    image.load()
    return image
