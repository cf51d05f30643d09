"""Finds weights of Keras Applications that the operator has put into a local folder.

TFModel downloads nothing: the files are those that Keras itself would fetch for `weights="imagenet"` with
`include_top=False`, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from protocol.errors import TrainingError
from trainer_worker.backbones.presence import why_no_file

#: Values of the option `backbone` that need a weights file, with the file's name.
WEIGHTS_FILES: Mapping[str, str] = MappingProxyType(
    {
        "mobilenet_v2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        "mobilenet_v3_large": "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "efficientnet_v2_b0": "efficientnetv2-b0_notop.h5",
        "efficientnet_v2_b1": "efficientnetv2-b1_notop.h5",
        "resnet50_v2": "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    }
)


def find_weights_file(backbone: str, weights_dir: Path) -> Path | None:
    """The weights file for a value of the option `backbone`; None if the value needs none.

    Raises TrainingError unsupported_option when the file can't be used.
    """
    name = WEIGHTS_FILES.get(backbone)
    if name is None:
        return None
    path = weights_dir / name
    if reason := why_no_file(path):
        raise TrainingError(
            "unsupported_option",
            f"backbone={backbone} needs the file {name} in {weights_dir} ([worker] weights_dir) on the worker, but "
            f"it {reason}. The operator can put it there (Keras Applications publishes it); or post backbone=auto.",
        )
    return path
