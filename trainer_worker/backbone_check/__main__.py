"""Prints what trainings can rely on in a network of your own, and what not. The exit code is 1 if something is wrong.

python -m trainer_worker.backbone_check backbones/NAME
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer_worker.backbone_check", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder with backbone.toml")
    parser.add_argument(
        "--image-size", type=int, action="append", default=[], help="the imageSize of tasks; may be given several times"
    )
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from trainer_worker.backbone_check.contract import check_network  # loads TensorFlow, which --help needs not

    is_good = True
    for outcome in check_network(given.folder.resolve(), given.image_size):
        is_good = is_good and outcome.is_good
        sys.stdout.write(f"{'ok' if outcome.is_good else 'bad':<4}  {outcome.sentence}\n")
        sys.stdout.flush()
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
