"""Arrows to the left and to the right: a classifier learns them only if their pictures don't also train mirrored."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.options import ClassificationOptions, Mirror
from tests.drawn_arrows import draw_arrows
from tests.project_folders import attempt_in
from trainer_worker.classification.train import train
from trainer_worker.classification.variations import MIRRORED_PART, PART, PictureView

SIZE = 64
#: Pictures of each class. Of 60 that score, a model that guesses has more than three quarters right once in 40,000.
NUMBERS = {"train": 60, "test": 30}
LEARNED, CHANCE = 0.85, 0.75


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mirror", "view", "code", "is_learned"),
    [("auto", PART, "not_mirrored", True), ("always", MIRRORED_PART, "mirrored_sides", False)],
    ids=["auto", "always"],
)
def test_arrows_are_learned_unless_they_are_mirrored(
    tmp_path: Path, mirror: Mirror, view: PictureView, code: str, is_learned: bool
) -> None:
    project = draw_arrows(tmp_path / "arrows", NUMBERS, SIZE)
    attempt = attempt_in(project, ClassificationOptions(image_size=SIZE, exports=("tflite",), mirror=mirror))
    result = train(attempt)

    assert code in [found.code for found in attempt.data_report.findings]
    accuracy = result.metrics["accuracy"]
    assert accuracy >= LEARNED if is_learned else accuracy <= CHANCE
    endings = {path.suffix for path in project.glob(".tfmodel/features/*/*")}
    assert endings == {".plain", f".{view.name}"}
