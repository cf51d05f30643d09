"""Corrections of single pictures by a person, and changes to them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.corrections import Action
from web.api.url_text import UrlText

#: The most changes of one call.
MOST_CHANGES = 500

_Field = Annotated[str, Meta(min_length=1, max_length=4096)]
_Picture = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4096,
        pattern=r"\A[^\0]*[^\0\s][^\0]*\Z",
        description="the picture's path in the project folder, as metrics.json and findings name it",
    ),
]


class CorrectionsQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The folder whose corrections are wanted."""

    user_id: Annotated[UrlText, Meta(min_length=1, description="the website's user", examples=["7"])]
    project_dir: Annotated[
        UrlText,
        Meta(
            min_length=1,
            description="the folder with the photos, or its URL, inside [web] data_roots",
            examples=["flowers"],
        ),
    ]


class CorrectionChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A change to the correction of one picture."""

    picture: _Picture
    action: Annotated[
        Literal["label", "exclude", "keep", "none"],
        Meta(
            description="label: the picture shows the class `label`; exclude: the picture is not used; keep: its label "
            "is right; none: remove its correction"
        ),
    ]
    label: Annotated[
        str, Meta(max_length=255, pattern=r"\A[^\0]*\Z", description="the class, if the action is label")
    ] = ""


class ChangeCorrections(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Changes to the corrections of one folder. Of two that name the same picture, the later one counts."""

    user_id: Annotated[_Field, Meta(description="the website's user")]
    project_id: Annotated[_Field, Meta(description="the website's project")]
    project_dir: Annotated[_Field, Meta(description="the folder with the photos, or its URL, inside [web] data_roots")]
    changes: Annotated[
        list[CorrectionChange],
        Meta(min_length=1, max_length=MOST_CHANGES, description="all of them are made, or none"),
    ]


class CorrectionView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The correction of one picture in corrections.csv."""

    picture: Annotated[
        str, Meta(description="the picture's path as the row has it, which a person may have spelled otherwise")
    ]
    action: Action
    label: Annotated[str, Meta(description="the class, if the action is label; else empty")]


class CorrectionsView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The content of corrections.csv. Only a check says whether pictures and classes of these names exist."""

    project_dir: str
    corrections: Annotated[tuple[CorrectionView, ...], Meta(description="one for each picture, the newest last")]
    problems: Annotated[
        tuple[str, ...],
        Meta(description="why rows that somebody wrote by hand can't be understood; at most 20 of them"),
    ]
