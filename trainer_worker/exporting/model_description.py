"""What a trainType says about its models in the metadata of a .tflite file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelDescription:
    """A model that takes one picture and gives one output.

    name, purpose: of the model. output: the name of its output. meaning: what the output's numbers mean; they go from
    0 to 1. is_mask: whether the output is a grey picture of the input's size; otherwise it is a list of numbers.
    labels: a description of labels.txt. labels_name_outputs: whether each line of it names one number of the output.
    """

    name: str
    purpose: str
    output: str
    meaning: str
    is_mask: bool
    labels: str
    labels_name_outputs: bool
