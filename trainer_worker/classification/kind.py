"""The Kind of trainType=classification: what code for every trainType needs to know about it."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.classification import samples
from trainer_worker.classification.card import CARD
from trainer_worker.classification.foreseen import foresee
from trainer_worker.classification.report import PARTS
from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.publishing.kind import Kind, Presentation, Samples, Snippets

PRESENTATION = Presentation(
    description=ModelDescription(
        name="Image classifier",
        purpose="Says which of its labels a picture shows.",
        output="probability",
        meaning="Probability of each label, 0 to 1, calibrated on pictures that did not train; their sum is 1.",
        is_mask=False,
        labels="Labels in the order of the output.",
        labels_name_outputs=True,
    ),
    card=CARD,
    report=PARTS,
    samples=Samples(samples.pick, samples.answer),
    snippets=Snippets(
        Path(__file__).with_name("snippets"), ("android/Classifier.kt", "ios/Classifier.swift", "web/classifier.mjs")
    ),
    output_spec=samples.unknown_spec,
)

KIND = Kind(
    train_type="classification",
    trainer="trainer_worker.classification.train",
    helper="trainer_worker.classification.helping",
    recognise=recognise_classes,
    foresee=foresee,
    headline="accuracy",
    presentation=lambda labels: PRESENTATION,
)
