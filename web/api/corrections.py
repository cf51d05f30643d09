"""Corrections of single pictures: what a person has said of them, and changes of that."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.corrections import Action

#: The most changes of one call.
MOST_CHANGES = 500

_Field = Annotated[str, Meta(min_length=1, max_length=4096)]
#: Percent-encoded, two such texts fit into a URL that the front-end reads.
_InUrl = Annotated[str, Meta(min_length=1, max_length=1024)]
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
    """Whose folder, and which."""

    user_id: Annotated[_InUrl, Meta(description="the website's user", examples=["7"])]
    project_dir: Annotated[
        _InUrl, Meta(description="the folder with the photos, inside [web] data_roots", examples=["flowers"])
    ]


class CorrectionChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What is to become of one picture."""

    picture: _Picture
    action: Annotated[
        Literal["label", "exclude", "keep", "none"],
        Meta(
            description="label: it shows the class `label`; exclude: it is not used; keep: its label is right; none: "
            "take back what was said of it"
        ),
    ]
    label: Annotated[
        str, Meta(max_length=255, pattern=r"\A[^\0]*\Z", description="the class, if the action is label")
    ] = ""


class ChangeCorrections(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Changes to the corrections of one folder. Of two that name the same picture, the later one counts."""

    user_id: Annotated[_Field, Meta(description="the website's user")]
    project_id: Annotated[_Field, Meta(description="the website's project")]
    project_dir: Annotated[_Field, Meta(description="the folder with the photos, inside [web] data_roots")]
    changes: Annotated[
        list[CorrectionChange],
        Meta(min_length=1, max_length=MOST_CHANGES, description="all of them are made, or none"),
    ]


class CorrectionView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What corrections.csv says of one picture."""

    picture: Annotated[str, Meta(description="as the row names it; a person may have written it in another spelling")]
    action: Action
    label: Annotated[str, Meta(description="the class, if the action is label; else empty")]


class CorrectionsView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The content of corrections.csv. Whether pictures and classes of these names exist is said by a check."""

    project_dir: str
    corrections: Annotated[tuple[CorrectionView, ...], Meta(description="one for each picture, the newest last")]
    problems: Annotated[
        tuple[str, ...],
        Meta(description="rows that somebody has written and that can't be understood, at most 20 of them"),
    ]
