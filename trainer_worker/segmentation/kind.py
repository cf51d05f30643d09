"""The Kind of trainType=segmentation: what code for every trainType needs to know about it."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.publishing.kind import Kind, Presentation, Samples, Snippets
from trainer_worker.segmentation import card, report, samples
from trainer_worker.segmentation.foreseen import foresee

SNIPPETS = Path(__file__).with_name("snippets")
SNIPPET_NAMES = ("android/Segmenter.kt", "ios/Segmenter.swift", "web/segmenter.mjs")

#: Of a model that gives each pixel's probability of being foreground.
FOREGROUND = Presentation(
    description=ModelDescription(
        name="Image segmenter",
        purpose="Tells foreground from background.",
        output="foreground",
        meaning="Probability of each pixel to be foreground, 0 to 1.",
        is_mask=True,
        labels="What a pixel below and above 0.5 is.",
        labels_name_outputs=False,  # there are two labels, and one number a pixel
    ),
    card=card.FOREGROUND,
    report=report.FOREGROUND,
    samples=Samples(samples.pick, samples.answer_foreground),
    snippets=Snippets(SNIPPETS / "foreground", SNIPPET_NAMES),
    output_spec=samples.foreground_spec,
)

#: Of a model that gives each pixel's probability of each class of classes.txt.
CLASSES = Presentation(
    description=ModelDescription(
        name="Image segmenter",
        purpose="Says which of its classes each pixel shows.",
        output="classes",
        meaning="Probability of each class for each pixel, 0 to 1; the sum of a pixel's probabilities is 1.",
        is_mask=True,
        labels="Classes in the order of the output's channels.",
        labels_name_outputs=True,
    ),
    card=card.CLASSES,
    report=report.CLASSES,
    samples=Samples(samples.pick, samples.answer_classes),
    snippets=Snippets(SNIPPETS / "classes", SNIPPET_NAMES),
    output_spec=samples.classes_spec,
)

KIND = Kind(
    train_type="segmentation",
    trainer="trainer_worker.segmentation.train",
    helper="",
    recognise=recognise_masks,
    foresee=foresee,
    headline="dice",
    presentation=lambda channels: FOREGROUND if channels == 1 else CLASSES,
)
