"""Many pictures are looked at in parts, and each of them in one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.drawn_features import drawn_sample
from trainer_worker.scores import parts
from trainer_worker.scores.parts import parts_of


@pytest.mark.parametrize("counts", [[200, 100, 50], [6] * 100, [300] + [2] * 40], ids=["few", "many", "uneven"])
def test_every_picture_is_in_one_part(counts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST_TOGETHER", 90)
    sample = drawn_sample(counts, apart=1.0)
    found = parts_of(sample)
    assert sorted(np.concatenate([part.rows for part in found])) == list(range(sum(counts)))
    for part in found:
        assert len(part.rows) <= 90
        assert (part.labels[part.sample.classes] == sample.classes[part.rows]).all()
        assert (part.sample.features == sample.features[part.rows]).all()
        assert part.sample.labels == len(part.labels)


def test_few_pictures_are_one_part() -> None:
    assert len(parts_of(drawn_sample([40, 30], apart=1.0))) == 1


def test_copies_stay_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST_TOGETHER", 50)
    sample = drawn_sample([100, 100], apart=1.0)
    pairs = dataclasses.replace(sample, groups=np.arange(200) // 2)
    split = [group for part in parts_of(pairs) for group in np.unique(part.sample.groups)]
    assert len(split) <= 100 + len(parts_of(pairs))  # only a pair at the rim of a part may be torn


def test_each_class_of_many_has_enough_pictures_in_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST_TOGETHER", 240)
    for part in parts_of(drawn_sample([24] * 100, apart=1.0)):
        assert np.bincount(part.sample.classes).min() == 24
