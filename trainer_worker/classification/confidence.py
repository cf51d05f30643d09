"""How sure a classifier may be of its answers: the temperature of its probabilities, and when it says "unknown".

Both come from pictures that did not train the models that answered. They change no label, only how sure it is.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.evaluation import Evaluation
from trainer_worker.classification.splitting import Partition
from trainer_worker.scores.calibration import Calibration, calibrate, tempered
from trainer_worker.scores.unknown import Known, Unknown, choose_threshold, estimate_spotted, share_kept


@dataclasses.dataclass(frozen=True)
class Confidence:
    """How sure a classifier may be of its answers."""

    calibration: Calibration
    unknown: Unknown

    def facts(self) -> dict[str, Any]:
        """For manifest.json."""
        return {"calibration": self.calibration.facts(), "unknown": dataclasses.asdict(self.unknown)}

    def report(self) -> dict[str, Any]:
        """For metrics.json."""
        return self.facts() | {"calibration": self.calibration.report()}


def measure_confidence(
    data: Dataset, partition: Partition, evaluation: Evaluation, seed: int
) -> tuple[Confidence, Evaluation]:
    """The confidence, and the evaluation with calibrated probabilities."""
    truth = data.folders.classes[evaluation.rows]
    groups = partition.copies.together[evaluation.rows]
    calibration = calibrate(evaluation.probabilities, truth, groups, seed)
    calibrated = tempered(evaluation.probabilities, calibration.temperature)
    most, right = calibrated.max(axis=1), calibrated.argmax(axis=1) == truth
    threshold = choose_threshold(most, right)
    known = Known(data.plain.pooled, data.folders.classes, partition.split.train, partition.split.held_out)
    unknown = Unknown(threshold, share_kept(most, right, threshold), estimate_spotted(known, seed))
    return Confidence(calibration, unknown), dataclasses.replace(evaluation, probabilities=calibrated)
