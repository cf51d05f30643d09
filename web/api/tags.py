"""The nouns by which the documents group the calls."""

from __future__ import annotations

from collections.abc import Mapping

#: In the order of the documents: the first word of the path after /v1, and what its calls are about.
TAGS: Mapping[str, str] = {
    "tasks": "Train on a folder, follow the training, take the model.",
    "projects": "A project of a user: its model in use and its tasks.",
    "compare": "Finished tasks compared with each other.",
    "events": "What happens, as it happens.",
    "folders": "Folders below the data roots.",
    "thumbnails": "Small copies of pictures.",
    "uploads": "Photos for a new project, sent part by part.",
    "check": "What a training would find in a folder.",
    "corrections": "A person's corrections of single pictures of a folder.",
    "queue": "What waits, and until when.",
    "workers": "The processes that train.",
    "webhooks": "What is told to other servers.",
    "train-types": "What can be trained, and with which options.",
    "session": "How a page signs in and out.",
    "tokens": "Who may call this server.",
    "server": "This server: its version, its limits, whether it is well.",
    "original": "The two calls of the original API.",
    "documents": "This document, and pages for people.",
}
#: The tags of paths outside of /v1.
OTHER_PATHS = {"/": "original", "/healthz": "server", "/readyz": "server", "/metrics": "server"}


def tag_of(template: str) -> str:
    """The tag of a path."""
    if template.startswith("/v1/"):
        return template.split("/")[2]
    return OTHER_PATHS.get(template, "documents")
