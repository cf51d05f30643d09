"""The call that has a model predict pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tfmodel_client.paths import path_of
from tfmodel_client.pictures import Picture, read_picture
from tfmodel_client.retrying import KEY, ask, new_id
from tfmodel_client.steps import Plan, Request, work
from tfmodel_client.types import Predictions


def predict(
    pictures: Picture | Sequence[Picture], task_id: str = "", project: tuple[str, str] | None = None
) -> Plan[Predictions]:
    """What a model says about pictures. Give either task_id, or project=(userId, projectId) for its latest model.

    pictures: a path on this machine or the bytes of a picture file, or several of them. The answer has a prediction
    for each picture in the same order; one that can't be read has an `error` and stops none of the others.
    """
    if (project is None) == (not task_id):
        raise ValueError("Pass either task_id or project=(userId, projectId), and not both.")
    if project is not None:
        path = path_of("v1", "projects", project[0], project[1], "predict")
    else:
        path = path_of("v1", "tasks", task_id, "predict")
    several = [pictures] if isinstance(pictures, (str, bytes, os.PathLike)) else list(pictures)
    if not several:
        raise ValueError("Pass at least one picture.")
    files = yield from work(
        lambda: tuple(read_picture(each, f"picture_{number}") for number, each in enumerate(several, 1))
    )
    # A prediction changes nothing, so it may be asked for again; the key says so.
    return (yield from ask(Request("POST", path, headers={KEY: new_id()}, files=files), Predictions))
