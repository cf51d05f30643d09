"""The limits of a runtime process. A picture or model that needs more ends it, and nothing else suffers."""

from __future__ import annotations

import resource

from trainer_worker.prediction.answering import BUDGET_BYTES

#: The memory for Python, for the mapped libraries of numpy, Pillow and LiteRT, and for a picture and its answer.
OWN_BYTES = 1024**3


def limit_resources(models_bytes: int) -> None:
    """Limit the memory of this process. Beyond the limit, Python gets a MemoryError, and C code may abort.

    models_bytes: the memory for loaded models.
    """
    most = OWN_BYTES + BUDGET_BYTES + models_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
