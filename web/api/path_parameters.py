"""The parts of paths that stand for something: their types, what they mean, and an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from protocol.bounds import TaskId

_Id = Annotated[str, Meta(min_length=1)]

#: By the names that stand in braces in web/routes.py.
PATH_PARAMETERS: Mapping[str, Any] = {
    "taskId": Annotated[
        TaskId, Meta(description="the taskId of a POST", examples=["019ad0c6f1a2b3c4d5e6f708192a3b4c"])
    ],
    "userId": Annotated[_Id, Meta(description="the website's user", examples=["7"])],
    "projectId": Annotated[_Id, Meta(description="the website's project", examples=["42"])],
    "name": Annotated[_Id, Meta(description="the name of the file, which may have slashes", examples=["model.tflite"])],
    "deadLetterId": Annotated[
        str, Meta(pattern=r"\A[0-9]{1,18}\Z", description="the `id` of a dead letter", examples=["17"])
    ],
    "version": Annotated[_Id, Meta(description="a hash of all these files", examples=["0123456789abcdef"])],
    "file": Annotated[_Id, Meta(description="a path below web/static", examples=["page/main.js"])],
    "uploadId": Annotated[
        _Id, Meta(description="the `uploadId` of the upload", examples=["5f0c2a91d7e84b3f9a6c1d20e4b75f38"])
    ],
}
