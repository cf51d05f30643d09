"""The GPUs of this machine as their driver names them, without TensorFlow."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

log = logging.getLogger("worker")

#: The program that comes with NVIDIA's driver. In a container it lists the GPUs that the container has.
QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader")
QUERY_TIMEOUT_S = 20.0
#: CUDA's own variable: the GPUs that a process may use, by index or by the beginning of a UUID. "" means none.
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Lets CUDA number the GPUs as the driver does.
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


class Gpu(NamedTuple):
    number: str
    uuid: str
    name: str

    def is_named(self, device: str) -> bool:
        """Whether an entry of CUDA_VISIBLE_DEVICES means this GPU."""
        return device == self.number or (device.startswith("GPU-") and self.uuid.startswith(device))


def visible_gpus(environ: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves to this process. [] if there are none, or no driver that names them."""
    found = _gpus()
    if VISIBLE not in environ:
        return found
    named = [device.strip() for device in environ[VISIBLE].split(",")]
    return [gpu for device in named for gpu in found if gpu.is_named(device)]


def _gpus() -> list[Gpu]:
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=QUERY_TIMEOUT_S, check=True)
    except FileNotFoundError:
        return []
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("action=worker.gpus_unknown reason=%r", str(error))
        return []
    rows = [[cell.strip() for cell in line.split(",", 2)] for line in done.stdout.splitlines()]
    return [Gpu(*row) for row in rows if len(row) == len(Gpu._fields)]
