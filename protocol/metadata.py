"""Metadata of a task: up to 20 strings of the caller's own, which are kept, shown and filtered by, but never read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

MAX_METADATA = 20
MAX_METADATA_VALUE_CHARS = 500

MetadataName = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\A[A-Za-z0-9._-]+\Z")]
MetadataValue = Annotated[str, Meta(max_length=MAX_METADATA_VALUE_CHARS, pattern=r"\A[^\x00-\x1f\x7f-\x9f\ufffd]*\Z")]
Metadata = Annotated[
    dict[MetadataName, MetadataValue],
    Meta(
        max_length=MAX_METADATA,
        description=f"up to {MAX_METADATA} texts of the caller's own, of up to {MAX_METADATA_VALUE_CHARS} characters "
        "each, under names of 1 to 40 letters, digits, '.', '_' or '-'",
    ),
]
