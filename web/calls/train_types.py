"""`/v1/train-types`: what can be trained."""

from __future__ import annotations

from protocol.layouts import ALL, LAYOUTS
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from web.api.train_types import LayoutView, TrainTypeList, TrainTypeView
from web.documents.openapi_schemas import components
from web.json_handler import JsonHandler

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def train_type_list() -> TrainTypeList:
    """All trainTypes. Pure."""
    return TrainTypeList(
        tuple(
            TrainTypeView(
                name,
                {"$schema": DIALECT, **components([options], empty_defaults=True)[options.__name__]},
                tuple(LayoutView(each.name, each.sentence) for each in LAYOUTS if each.train_type in (name, ALL)),
            )
            for name, options in OPTIONS_BY_TRAIN_TYPE.items()
        )
    )


#: It is the same until the program ends.
TRAIN_TYPES = train_type_list()


class TrainTypesHandler(JsonHandler):
    """GET lists the trainTypes, with the schema of their options and their layouts."""

    def get(self) -> None:
        self.send(TRAIN_TYPES)
