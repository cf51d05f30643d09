"""Where the files of a published model lie in object storage.

    models/<taskId>/manifest.json               says which publication counts; written last, once for a finished model
    models/<taskId>/<attempt>-<8 digits>/…      the files of one publication, which nobody else writes to
    models/latest                               names the model to use, as JSON

Two attempts at a task may publish at the same time, because the broker can only guess that a silent worker is lost.
Each one writes into a folder of its own, so neither can overwrite a file of the other. Whoever writes the manifest
first has published the model. A reader who goes by the manifest never sees a part of a model.
"""

from __future__ import annotations

import re
import secrets
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.project_layout import MANIFEST
from storage.errors import MissingObjectError
from storage.object_store import ObjectStore

#: A manifest of a thousand classes with a warning for each has 0.2 MB.
MOST_MANIFEST_BYTES = 8 * 1024**2
_FOLDER = r"[0-9]{1,10}-[0-9a-f]{8}"
#: The name of a publication's folder; "" for a model that lies directly in models/<taskId>/, as on a disk.
Publication = Annotated[str, Meta(pattern=rf"^({_FOLDER})?\Z")]
_publication = re.compile(_FOLDER)


class _Placed(msgspec.Struct, frozen=True):
    folder: Publication = ""


def new_publication(attempt: int) -> str:
    """A name that no other publication has."""
    return f"{attempt}-{secrets.token_hex(4)}"


def is_publication(name: str) -> bool:
    return _publication.fullmatch(name) is not None


def file_of_model(model: str, folder: str, name: str) -> str:
    """The object of a model's file. model: the folder models/<taskId>. folder: the publication. name: of the file."""
    return f"{model}/{folder}/{name}" if folder and name != MANIFEST else f"{model}/{name}"


def find_file_of_model(store: ObjectStore, model: str, name: str) -> str:
    """The object of a file of the model that is published, by its manifest.

    model: the folder models/<taskId>, relative to the store. Raises MissingObjectError if there is no manifest that we
    would have written, and what ObjectStore.get raises.
    """
    try:
        placed = msgspec.json.decode(store.get(f"{model}/{MANIFEST}", most_bytes=MOST_MANIFEST_BYTES), type=_Placed)
    except (ValueError, RecursionError) as error:  # A text that is not UTF-8 raises UnicodeDecodeError.
        raise MissingObjectError(f"{store.url.file(model)}/{MANIFEST} is not one that TFModel has written.") from error
    return file_of_model(model, placed.folder, name)
