"""An example of each body that a call takes. A test sends them to a real server, which must answer as documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FOLDER = {"userId": "7", "projectId": "42", "projectDir": "flowers", "trainType": "classification"}

#: By the name of the call in web/routes.py.
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "postFolder": _FOLDER,
    "submitTask": {
        **_FOLDER,
        "options": {"epochs": 20, "exports": ["tflite", "saved_model"]},
        "metadata": {"order": "2026-4711"},
    },
    "retryTask": {"options": {"epochs": 40, "seed": None}},
    "checkFolder": _FOLDER,
    "changeCorrections": {
        **{name: _FOLDER[name] for name in ("userId", "projectId", "projectDir")},
        "changes": [
            {"picture": "roses/1.jpg", "action": "label", "label": "tulips"},
            {"picture": "roses/2.jpg", "action": "exclude"},
        ],
    },
    "predictWithTask": {"pictures": [{"path": "roses/1.jpg"}]},
    "predictWithProject": {"pictures": [{"path": "roses/1.jpg", "name": "a rose"}]},
    "signIn": {"token": "tfm_7mZ2cVtq0Yx1bJ9hRk3dPs5uLw8nAeGfTyQiMo4xVzE"},
    "beginUpload": {"userId": "7", "projectId": "43", "label": "roses", "name": "1.jpg", "sizeBytes": 52000},
    "testWebhooks": {"destination": "shop"},
}
