"""The part of the doctor that looks at the data roots in object storage."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from conf.data_roots import urls_of
from conf.settings import Settings
from protocol.project_url import ProjectUrl
from service.doctor.result import Result, bad, ok
from storage.errors import StorageError
from storage.object_store import open_store

TOPIC = "object storage"
#: A doctor's look at one data root ends after about twice this time.
TIMEOUT_S = 5.0


def look(settings: Settings) -> Iterator[Result]:
    """One result for each URL of `[web] data_roots` and `[worker] data_roots`."""
    for root in dict.fromkeys([*urls_of(settings.web.roots()), *urls_of(settings.worker_roots)]):
        yield _look_at(root, settings)


def _look_at(root: ProjectUrl, settings: Settings) -> Result:
    limited = msgspec.structs.replace(settings.storage, timeout_s=TIMEOUT_S)
    try:
        next(open_store(root, limited, retries=1).list(), None)
    except StorageError as error:
        cure = "Look at the section [storage] of conf/tfmodel.toml, and at the credentials in the environment."
        return bad(TOPIC, str(error), cure)
    return ok(TOPIC, f"{root} can be listed")
