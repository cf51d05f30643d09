"""Decoding in threads, ahead of the consumer: order, bounds, and what happens with unreadable files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from tests.picture_reading import READER, read_rgb
from trainer_worker.pictures import batches, images
from trainer_worker.pictures.batches import Batching, read_batches
from trainer_worker.pictures.images import WHOLE, Box, PictureReader, UnreadableImageError

Pixels = npt.NDArray[np.uint8]


def whole(paths: list[Path]) -> list[tuple[Path, Box]]:
    return [(path, WHOLE) for path in paths]


@pytest.fixture
def folder(tmp_path: Path) -> list[Path]:
    """23 pictures, each of one grey level that is its index; 5 and 6 can't be read."""
    paths = [tmp_path / f"{i:02}.png" for i in range(23)]
    for i, path in enumerate(paths):
        Image.new("RGB", (20, 10), (i, i, i)).save(path)
    paths[5].write_bytes(b"")
    paths[6].write_text("no picture")
    return paths


@pytest.mark.parametrize("threads", [1, 4])
def test_batches_come_in_order_and_tell_what_was_left_out(folder: list[Path], threads: int) -> None:
    unreadable: list[tuple[int, str]] = []
    batches = list(
        read_batches(
            READER,
            whole(folder),
            Batching((16, 24), 8, threads),
            lambda i, e: unreadable.append((i, e.path.name)),
        )
    )
    assert [len(indexes) for indexes, _ in batches] == [8, 8, 5]
    assert [i for indexes, _ in batches for i in indexes] == [i for i in range(23) if i not in (5, 6)]
    assert unreadable == [(5, "05.png"), (6, "06.png")]
    for indexes, pixels in batches:
        assert pixels.dtype == np.uint8
        assert pixels.shape == (len(indexes), 16, 24, 3)
        assert (pixels == np.array(indexes)[:, None, None, None]).all()


def test_batches_without_a_listener_raise_for_unreadable_files(folder: list[Path]) -> None:
    with pytest.raises(UnreadableImageError, match=r"05\.png"):
        list(read_batches(READER, whole(folder), Batching((16, 24), 8, 2)))


def test_batches_of_nothing_and_of_nothing_readable(folder: list[Path]) -> None:
    assert list(read_batches(READER, [], Batching((16, 16), 8, 2))) == []
    seen: list[int] = []
    assert list(read_batches(READER, whole(folder[5:7]), Batching((16, 16), 8, 2), lambda i, e: seen.append(i))) == []
    assert seen == [0, 1]


def test_look_ahead_is_bounded(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []

    def counted(reader: PictureReader, path: Path, size: tuple[int, int] | None, box: Box) -> Pixels:
        started.append(path)
        return images.read_rgb(reader, path, size, box)

    monkeypatch.setattr(batches, "read_rgb", counted)
    found = read_batches(READER, whole(folder[7:]), Batching((16, 16), 2, 2))
    next(found)
    assert len(started) <= 2 + batches.LOOK_AHEAD_BATCHES * 2
    found.close()  # type: ignore[attr-defined]
    assert len(started) < 16


def test_reading_from_many_threads_gives_the_same(tmp_path: Path) -> None:
    photo: Pixels = load_sample_images().images[0]
    paths = []
    for i in range(12):
        path = tmp_path / f"{i}.{('jpg', 'png', 'tif', 'webp')[i % 4]}"
        Image.fromarray(photo[i * 10 : i * 10 + 200, :300]).save(path)
        paths.append(path)
    alone = [read_rgb(path, (64, 64)) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: read_rgb(path, (64, 64)), paths * 5))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 5, together, strict=True))
