"""The two folders that the worker makes in every project, and what in them other processes look for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: For the models, and for what can be made anew.
MODELS, KEPT = "models", ".tfmodel"
#: The link in models/ to the model to use: the newest one that is no worse than the one before, or a person's choice.
LATEST = "latest"
#: The file in a model's folder that lists its files.
MANIFEST = "manifest.json"
#: The folder in .tfmodel/ with what the next training of the project goes on from.
LAST = "last"
#: A model's report for people, in its folder. The front-end serves it.
REPORT = "report.html"
#: A longer report is neither published nor served. Reports have 3 MB at most.
MOST_REPORT_BYTES = 16 * 1024**2
#: The folder in .tfmodel/ with one folder for each task, named by its id. In it are the task's log and its epochs,
#: which last as long as the task's model, and its checkpoints, which go when it ends.
TASKS = "tasks"
LOG, EPOCHS, CHECKPOINTS = "log.txt", "epochs.jsonl", "checkpoints"
#: What a worker writes at most. An epoch takes about 200 bytes.
MOST_LOG_BYTES, MOST_EPOCHS_BYTES = 1024**2, 4 * 1024**2


def worker_folder(steps: Sequence[str]) -> str:
    """The name of the worker's folder that a path leads into; "" if it leads into none.

    steps: the names from a data root down to the folder. The first one may be a project with any name.
    """
    return next((step for step in steps[1:] if step in (MODELS, KEPT)), "")
