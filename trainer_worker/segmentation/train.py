"""trainType=segmentation: makes a U-Net from pictures with masks. The U-Net gives each pixel's probability of being
foreground, or of each class of classes.txt.

Read `train` from top to bottom.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from protocol.options import SegmentationOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, TrainingResult
from trainer_worker.backbones.backbone import Backbone, ChosenBackbone
from trainer_worker.backbones.catalogue import choose_backbone, refuse_without_endpoints
from trainer_worker.exporting.checks import start_runtimes
from trainer_worker.exporting.writing import refuse_impossible
from trainer_worker.optimization.epochs import History
from trainer_worker.optimization.repeatability import make_repeatable
from trainer_worker.optimization.training_copies import copy_of_encoder
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.segmentation import unet
from trainer_worker.segmentation.dataset import MaskDataset, read_mask_dataset
from trainer_worker.segmentation.folders import MaskFolders, scan_mask_folders
from trainer_worker.segmentation.interim_model import InterimModel
from trainer_worker.segmentation.plan import SegmenterPlan
from trainer_worker.segmentation.publication import publish_segmenter
from trainer_worker.segmentation.record import TrainedSegmenter
from trainer_worker.segmentation.skip_features import FEATURES_MEMORY_BYTES, SkipFeatures
from trainer_worker.segmentation.tile_choice import AUTO
from trainer_worker.segmentation.unet_training import MaskedFeatures, fit_decoder
from trainer_worker.segmentation.view_choice import TrainingSet, ViewChoice, choose_views


def train(attempt: Attempt) -> TrainingResult:
    """Train, score, export, check and publish one segmentation model.

    Raises TrainingError for what the caller can correct and Cancelled after a cancel; then nothing is published.
    """
    job, stages, options = attempt.job, attempt.stages, _options(attempt.job)
    refuse_impossible(options.exports)
    start_runtimes(options.exports, attempt.threads)
    make_repeatable(options.seed)
    folders = scan_mask_folders(job.files, DecodingBudget(job.decoding_bytes))
    asked = 0 if options.tiles == AUTO else options.tiles  # AUTO decides when masks are read
    chosen, plan = _planned(job, folders, asked, max(1, asked))
    refuse_without_endpoints(chosen.backbone)
    attempt.reporter.plan(plan.stages())

    attempt.found(folders.report())
    stages.enter("read")
    data = read_mask_dataset(folders, options, attempt)
    chosen, plan = _planned(job, folders, data.examples.tiles, data.tiles_each)
    attempt.learns_from = f"{chosen.backbone.weights_sha256} tiles={data.examples.tiles}"
    attempt.reporter.plan(plan.stages())

    stages.enter("train")
    encoder = unet.build_encoder(chosen.backbone, options.image_size)
    decoder = unet.build_decoder([tuple(x.shape[1:]) for x in encoder.outputs], folders.classes.channels)
    learned, choice = _learned(encoder, plan, data, attempt)
    attempt.learns_from += f" views={choice.views}"
    attempt.also_found(choice.findings)
    model = unet.compose(encoder, decoder)
    trained = TrainedSegmenter(model, chosen, data, choice.sentence, History(), data.warnings)
    end_by_s = attempt.budget.by_s(1.0, plan.finishing_s(len(data.split.held_out)))
    history = fit_decoder(decoder, learned, attempt, end_by_s, InterimModel(trained, plan, attempt))
    del learned
    if data.examples.unread:
        history.was_cut_short()
    data.warnings.extend(history.warnings(options.learning_rate))

    published, scored = publish_segmenter(dataclasses.replace(trained, history=history), attempt)
    metrics = scored.headline(len(folders.pairs))
    return published.result(metrics, attempt, history.end_reason, len(history.epochs))


def warm_up(cache_dir: Path, threads: int) -> None:
    """Does nothing: the encoder is built for each task, and its weights are read when this module is imported."""


def _planned(job: Job, folders: MaskFolders, tiles: int, squares: float) -> tuple[ChosenBackbone, SegmenterPlan]:
    """The backbone and the plan of the task.

    tiles: wanted of each picture; 0 if pictures are scaled down. squares: that a picture yields on average.
    """
    options, pairs, channels = _options(job), len(folders.pairs), folders.classes.channels

    def plan_for(backbone: Backbone) -> SegmenterPlan:
        return SegmenterPlan(pairs, squares, options, backbone, channels, is_cut=tiles > 0)

    chosen = choose_backbone(job, lambda backbone: plan_for(backbone).total_s)
    return chosen, plan_for(chosen.backbone)


def _learned(
    encoder: Any, plan: SegmenterPlan, data: MaskDataset, attempt: Attempt
) -> tuple[MaskedFeatures, ViewChoice]:
    """What the decoder learns from: features in bfloat16 if the backbone allows that, and the views that it sees."""
    quick = copy_of_encoder(encoder) if plan.backbone.features_in_bfloat16 else encoder
    examples, rows = data.examples, data.examples.rows_of(data.split.train)
    skips = SkipFeatures(quick, examples.pictures, FEATURES_MEMORY_BYTES)
    told = TrainingSet(skips, examples, rows, data.copies.together, data.folders.classes.names)
    tell = functools.partial(attempt.reporter.step, 0.0)
    choice = choose_views(told, attempt.job.options.mirror, tell, plan.has_time_for_views)
    return MaskedFeatures(skips, examples.masks, rows, choice.views), choice


def _options(job: Job) -> SegmentationOptions:
    if not isinstance(job.options, SegmentationOptions):
        raise TypeError(f"options of segmentation expected, not {type(job.options).__name__}")
    return job.options
