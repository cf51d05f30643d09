"""The two folders that the worker makes in every project, and the link to its newest model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: For the models, and for what can be made anew.
MODELS, KEPT = "models", ".tfmodel"
#: The link in models/ to the model that was published last.
LATEST = "latest"
#: A model's report for people, in its folder. The front-end serves it.
REPORT = "report.html"


def worker_folder(steps: Sequence[str]) -> str:
    """The name of the worker's folder that a path leads into; "" if it leads into none.

    steps: the names from a data root down to the folder. The first one may be a project with any name.
    """
    return next((step for step in steps[1:] if step in (MODELS, KEPT)), "")
