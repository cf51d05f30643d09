"""The varied view of a picture: which part, and that it is the right one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.picture_reading import READER, read_rgb
from trainer_worker.classification.variations import (
    LEAST_AREA,
    MIRRORED_PART,
    PART,
    PLAIN,
    PLAIN_VIEW,
    VIEWS,
)
from trainer_worker.pictures.batches import Batching, read_batches
from trainer_worker.pictures.flattening import GreyScale
from trainer_worker.pictures.images import WHOLE, Box

WIDTH, HEIGHT = 1200, 800


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Red says how far to the right a pixel is, green how far down."""
    across, down = np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT)
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 1] = across, down[:, None]
    Image.fromarray(pixels).save(tmp_path / "ramp.jpg", quality=95)
    return tmp_path / "ramp.jpg"


@pytest.mark.parametrize("box", [WHOLE, (0.25, 0.0, 1.0, 0.5), (0.6, 0.7, 0.9, 0.95)])
def test_a_part_is_read_at_the_size_that_was_asked_for(ramp: Path, box: Box) -> None:
    pixels = read_rgb(ramp, (64, 96), box)
    assert pixels.shape == (64, 96, 3)
    corners = [(pixels[0, 0], box[:2]), (pixels[-1, -1], box[2:])]
    for (red, green, _), (across, down) in corners:
        assert abs(red / 255 - across) < 0.02
        assert abs(green / 255 - down) < 0.02


def test_batches_read_each_picture_by_its_own_box(ramp: Path) -> None:
    boxes: list[Box] = [WHOLE, (0.5, 0.0, 1.0, 1.0)]
    [(indexes, pictures)] = list(read_batches(READER, [(ramp, box) for box in boxes], Batching((32, 32), 4, 1)))
    assert indexes == [0, 1]
    assert pictures[0, 0, 0, 0] < 20 < 120 < pictures[1, 0, 0, 0]


def test_a_variation_is_a_mirrored_part_that_depends_on_the_content_alone() -> None:
    variations = [MIRRORED_PART.of(f"content {number}") for number in range(500)]
    assert variations == [MIRRORED_PART.of(f"content {number}") for number in range(500)]
    assert len({variation.box for variation in variations}) == 500
    for (left, top, right, bottom), mirrored in variations:
        assert mirrored
        assert 0.0 <= left < right <= 1.0
        assert 0.0 <= top < bottom <= 1.0
        assert (right - left) * (bottom - top) > LEAST_AREA - 0.06  # a stretched part may meet the picture's edge
    assert PLAIN_VIEW.of("content") == PLAIN
    assert PLAIN.box == WHOLE


def test_a_part_is_the_same_with_and_without_mirroring() -> None:
    mirrored, plain = MIRRORED_PART.of("content"), PART.of("content")
    assert plain.box == mirrored.box
    assert not plain.mirrored


def test_each_view_has_a_name_of_its_own_in_the_cache() -> None:
    scale = GreyScale(4095.0)
    assert len({view.name_in_cache(grey) for view in VIEWS for grey in (GreyScale(), scale)}) == 2 * len(VIEWS)
