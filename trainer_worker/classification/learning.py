"""Trains a classifier and predicts the pictures that score it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protocol.end_reason import EndReason
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.classification.classifier import Classifier
from trainer_worker.classification.dataset import Dataset, FeatureView, LabelledFeatures
from trainer_worker.classification.evaluation import CrossValidation, Evaluation, evaluate
from trainer_worker.classification.fine_tuning import fit, fit_more
from trainer_worker.classification.splitting import Partition
from trainer_worker.optimization.epochs import History
from trainer_worker.project.continuation import LastTraining


@dataclass(frozen=True)
class Lesson:
    """What a classifier is to be trained on. last: the training to continue from, whose weights the classifier has."""

    classifier: Classifier
    data: Dataset
    partition: Partition
    last: LastTraining | None

    def learn(self, views: tuple[FeatureView, ...], end_by_s: float, attempt: Attempt) -> tuple[History, Evaluation]:
        """The stages train and, where the score needs it, cross_validate.

        views: see LabelledFeatures. end_by_s: the monotonic time at which the training of the published model ends.
        """
        classifier, data, split = self.classifier, self.data, self.partition.split
        features = LabelledFeatures(views, data.folders.classes)
        untrained = classifier.get_weights()
        attempt.stages.enter("train")
        if self.last is None:
            history = fit(classifier, features, split.train, attempt, end_by_s)
        else:
            trained = self.last.trained
            known = np.array([data.contents[row] in trained for row in split.train])
            history = fit_more(classifier, features, split.train[~known], split.train[known], attempt)
        if data.unread:
            history.was_cut_short()
        evaluation = evaluate(classifier, data, split)
        if self.partition.folds is not None:
            attempt.stages.enter("cross_validate")
            others = CrossValidation(untrained, features, self.partition.folds, self.partition.trained)
            evaluation = others.run(evaluation, classifier, data, attempt)
            if attempt.reporter.stop_requested:
                history.was_cut_short(EndReason.STOPPED)
        return history, evaluation
