"""The gate between versions: models/latest moves to a new model only if that isn't worse than the model it replaces.

Both models are scored on the pictures that both hold out, so the pictures that the earlier model has held out are held
out again (`held_out`). A picture whose label or mask has changed since then is left out of the comparison, because the
two models would be judged by different truths.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from conf.directory import Directory
from protocol.comparison import Comparison
from protocol.percent import in_percent
from trainer_worker.project.continuation import LastTraining
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.held_out import HeldOutScores, read_held_out
from trainer_worker.project.latest import came_into_use, latest_task
from trainer_worker.project.manifest import ForeignManifestError, Manifest, read_manifest
from trainer_worker.project.models import finished_models, is_whole
from trainer_worker.project.origin import nothing
from trainer_worker.scores.paired_test import PairedTest, paired_test


@dataclass(frozen=True)
class Gate:
    """always: whether models/latest is to move however the models compare (the option `promote`)."""

    project: ProjectFolder
    train_type: str
    always: bool = False

    def held_out(self) -> frozenset[str]:
        """The SHA-256 of the pictures that the model in use has held out; empty if there is none."""
        found = self._in_use()
        return frozenset(found[1].pictures) if found is not None and found[1] is not None else frozenset()

    def sides(self, contents: Sequence[str], last: LastTraining | None = None) -> npt.NDArray[np.int8]:
        """For the split: 1 for a picture that is to be held out again, -1 for one that must train, 0 for any other.

        contents: the SHA-256 of each picture's file. last: the training that this one continues from. What its weights
        have learned from can't score them.
        """
        held_out, trained = self.held_out(), frozenset[str]()
        if last is not None:
            held_out, trained = held_out | last.held_out, last.trained
        sides = [-1 if content in trained else int(content in held_out) for content in contents]
        return np.array(sides, dtype=np.int8)

    def compare(self, scores: HeldOutScores | None) -> Comparison | None:
        """Compare a new model, which is about to be published, with the one in use. None if there is none.

        scores: those of the new model; None if they are unknown.
        """
        self.project.origin.refresh_models(nothing)
        found = self._in_use()
        if found is None:
            return None
        manifest, before = found
        pairs = _shared(scores, before)
        test = paired_test(*(np.array(pairs).T if pairs else ((), ())))
        now, then = np.mean(pairs, axis=0).tolist() if pairs else (None, None)
        compared = Comparison(
            with_task=manifest.task_id,
            pictures=test.pictures,
            now_only_right=test.better,
            before_only_right=test.worse,
            p_value=test.p_value,
            score_now=now,
            score_before=then,
            promoted=self.always or not test.is_worse,
            sentence="",
        )
        return msgspec.structs.replace(compared, sentence=_sentence(compared, test, scores.measure if scores else ""))

    def admits_interim(self) -> bool:
        """Whether models/latest may name an interim model: only if there is no finished model to name."""
        with contextlib.suppress(OSError), self.project.models() as models:
            latest = latest_task(models)
            return not any(model.manifest.promoted or model.task_id == latest for model in finished_models(models))
        return True

    def _in_use(self) -> tuple[Manifest, HeldOutScores | None] | None:
        """The finished model of this trainType that is in use, and its scores.

        It is the one that models/latest names. If that is damaged or of another trainType, it is the one of this
        trainType that came into use last.
        """
        with contextlib.suppress(OSError), self.project.models() as models:
            for task_id in self._candidates(models):
                with contextlib.suppress(OSError, ForeignManifestError), models.folder(task_id) as folder:
                    manifest = read_manifest(folder, task_id)
                    if manifest is None or manifest.interim or manifest.train_type != self.train_type:
                        continue
                    if is_whole(folder, manifest):
                        return manifest, read_held_out(folder, manifest)
        return None

    def _candidates(self, models: Directory) -> Iterator[str]:
        if latest := latest_task(models):
            yield latest
        yield from (model.task_id for model in came_into_use(models, finished_models(models)))


def _shared(now: HeldOutScores | None, before: HeldOutScores | None) -> list[tuple[float, float]]:
    """The scores of both models, for each picture that both were scored on in the same way."""
    if now is None or before is None or now.measure != before.measure:
        return []
    return [
        (picture.score, before.pictures[content].score)
        for content, picture in sorted(now.pictures.items())
        if content in before.pictures and before.pictures[content].truth == picture.truth
    ]


def _sentence(compared: Comparison, test: PairedTest, measure: str) -> str:
    earlier, pictures = f"the one of task {compared.with_task}", f"the {compared.pictures} pictures that scored both"
    if not test.can_tell:
        some = f"Only {compared.pictures}" if compared.pictures else "None"
        return (
            f"{some} of the pictures that score this model scored {earlier} as well, with the same label or mask. That "
            "is too few to tell which model is better, so models/latest names this one."
        )
    assert compared.score_now is not None
    assert compared.score_before is not None
    if measure == "accuracy":
        right = [round(score * compared.pictures) for score in (compared.score_now, compared.score_before)]
        scores = f"{right[0]} against {right[1]} right"
    else:
        scores = f"{measure} {in_percent(compared.score_now)} against {in_percent(compared.score_before)}"
    figures = f"({scores}, p = {compared.p_value:.2g})"
    if not test.is_worse:
        return (
            f"On {pictures}, this model is not worse than {earlier} beyond chance {figures}, so models/latest names it."
        )
    worse = f"This model is worse than {earlier} on {pictures} {figures}"
    if compared.promoted:
        return f"{worse}. The task was posted with promote=always, so models/latest names it all the same."
    return f"{worse}, so models/latest was not moved to it. Post the task again with promote=always to move it."
