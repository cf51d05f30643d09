"""Pictures to predict, and what the model answers for each of them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.prediction import LabelProbability, Labels, LabelShare, Mask, PictureRefused, PredictionAnswer

#: The most pictures of one call.
MOST_PICTURES_OF_A_CALL = 32


class PictureToPredict(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One picture: its bytes, or where it lies in the project."""

    base64: Annotated[bytes, Meta(description="the file of the picture, as base64")] = b""
    path: Annotated[
        str, Meta(max_length=4096, description="a picture in the project folder, relative to it, through no link")
    ] = ""
    name: Annotated[str, Meta(max_length=255, description="comes back in the answer")] = ""


class PicturesToPredict(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The pictures of one call. A multipart form with files in the field `picture` says the same."""

    pictures: Annotated[
        list[PictureToPredict],
        Meta(min_length=1, max_length=MOST_PICTURES_OF_A_CALL, description="answered in this order"),
    ]


class Prediction(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The answer for one picture: the labels of a classifier, the mask of a segmenter, or an error."""

    name: Annotated[str, Meta(description="the file name, or the path, or the name that was sent")]
    label: Annotated[str | UnsetType, Meta(description="the likeliest label")] = UNSET
    probability: Annotated[float | UnsetType, Meta(description="the calibrated probability of that label")] = UNSET
    unknown: Annotated[bool | UnsetType, Meta(description="whether the picture probably shows none of the labels")] = (
        UNSET
    )
    labels: Annotated[
        tuple[LabelProbability, ...] | UnsetType, Meta(description="all labels, in the order of labels.txt")
    ] = UNSET
    mask: Annotated[
        bytes | UnsetType,
        Meta(description="a PNG as base64, of the picture's size; each pixel's palette index is its class's number"),
    ] = UNSET
    width: Annotated[int | UnsetType, Meta(description="the width of the mask in pixels")] = UNSET
    height: Annotated[int | UnsetType, Meta(description="the height of the mask in pixels")] = UNSET
    shares: Annotated[
        tuple[LabelShare, ...] | UnsetType,
        Meta(description="the share of each label in the picture's pixels, in the order of labels.txt"),
    ] = UNSET
    error: Annotated[str | UnsetType, Meta(description="why this picture has no answer")] = UNSET
    code: Annotated[str | UnsetType, Meta(description="why this picture has no answer, as a stable word")] = UNSET


class Predictions(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The answers of one model, in the order in which the pictures were sent."""

    task_id: Annotated[str, Meta(description="the task whose model answered")]
    train_type: str
    model: Annotated[str, Meta(description="the file in the task's model folder that answered")]
    interim: Annotated[bool, Meta(description="whether this is the best model so far of a task that is not done")]
    predictions: tuple[Prediction, ...]


def prediction_of(name: str, answer: PredictionAnswer) -> Prediction:
    """What callers get for the answer of a runtime process."""
    match answer:
        case Labels(labels=labels, unknown=unknown):
            best = max(labels, key=lambda label: label.probability)
            return Prediction(name=name, label=best.label, probability=best.probability, unknown=unknown, labels=labels)
        case Mask():
            return Prediction(
                name=name, mask=answer.png, width=answer.width, height=answer.height, shares=answer.shares
            )
        case PictureRefused():
            return Prediction(name=name, error=answer.error, code=answer.code)
