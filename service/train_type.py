"""The option --type of the commands that need a trainType."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from protocol.options import OPTIONS_BY_TRAIN_TYPE

DEFAULT_TRAIN_TYPE = "classification"
TrainType = Annotated[
    str,
    Parameter(
        name="--type", choices=sorted(OPTIONS_BY_TRAIN_TYPE), show_default=True, help="what kind of model to train"
    ),
]
