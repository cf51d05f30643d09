"""What trainType=segmentation is, for everybody who works with more than one trainType."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.publishing.kind import Kind, Samples, Snippets
from trainer_worker.segmentation import samples
from trainer_worker.segmentation.card import CARD

KIND = Kind(
    train_type="segmentation",
    trainer="trainer_worker.segmentation.train",
    headline="dice",
    description=ModelDescription(
        name="Image segmenter",
        purpose="Tells foreground from background.",
        output="foreground",
        meaning="Probability of each pixel to be foreground, 0 to 1.",
        is_mask=True,
        labels="What a pixel below and above 0.5 is.",
        labels_name_outputs=False,  # there are two labels, and one number a pixel
    ),
    card=CARD,
    samples=Samples(samples.pick, samples.answer),
    snippets=Snippets(
        Path(__file__).with_name("snippets"), ("android/Segmenter.kt", "ios/Segmenter.swift", "web/segmenter.mjs")
    ),
    output_spec=samples.output_spec,
)
