"""The two folders that the worker makes in every project, and what in them other processes look for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: For the models, and for what can be made anew.
MODELS, KEPT = "models", ".tfmodel"
#: The link in models/ to the model that was published last.
LATEST = "latest"
#: A model's report for people, in its folder. The front-end serves it.
REPORT = "report.html"
#: A longer report is neither published nor served. Reports have 3 MB at most.
MOST_REPORT_BYTES = 16 * 1024**2


def worker_folder(steps: Sequence[str]) -> str:
    """The name of the worker's folder that a path leads into; "" if it leads into none.

    steps: the names from a data root down to the folder. The first one may be a project with any name.
    """
    return next((step for step in steps[1:] if step in (MODELS, KEPT)), "")
