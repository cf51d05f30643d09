"""docs/results.md lists the fields of the files that a page reads. The made-up finished models have exactly these.

tests/train compares the table with what real trainings write.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.task import Trained
from tests.documented_fields import mask_fields, metrics_fields, misfits
from tests.finished_models import lay_classifier, lay_segmenter
from tests.sample_tasks import hex_id

TASK = hex_id("made up")


def metrics_of(project: Path) -> dict[str, Any]:
    return dict(json.loads((project / "models" / TASK / "metrics.json").read_text("utf-8")))


@pytest.mark.parametrize(("lay", "train_type"), [(lay_classifier, "classification"), (lay_segmenter, "segmentation")])
def test_the_made_up_models_have_the_documented_fields(
    tmp_path: Path, lay: Callable[[Path, str], Trained], train_type: str
) -> None:
    lay(tmp_path, TASK)
    assert misfits(metrics_of(tmp_path), metrics_fields(train_type)) == []
    masks = tmp_path / "models" / TASK / "held_out_masks.json"
    assert masks.exists() is (train_type == "segmentation")
    if masks.exists():
        assert misfits(json.loads(masks.read_text("utf-8")), mask_fields()) == []


def test_a_field_that_is_missing_new_or_of_another_type_is_found(tmp_path: Path) -> None:
    lay_classifier(tmp_path, TASK)
    metrics, fields = metrics_of(tmp_path), metrics_fields("classification")
    del metrics["score"]["low"]
    metrics["held_out"][3]["colour"] = "red"
    metrics["copies"][0]["count"] = "two"
    metrics["unknown"] = None
    metrics["images_per_class"]["apple"] = "many"
    assert misfits(metrics, fields) == [
        "copies[].count is 'two', not a number",
        "held_out[].colour is not documented",
        "images_per_class holds 'many'",
        "score.low is missing",
        "unknown is null",
    ]
