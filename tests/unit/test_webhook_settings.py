"""The section [webhooks]: tables in the file and in variables, and every mistake named without showing a URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conf.settings import SettingsError, load
from protocol.events import EVENT_TYPES

GOOD: dict[str, Any] = {"name": "website", "url": "https://shop.example.com/hook?key=SECRET"}


def test_destinations_come_from_tables_of_the_file_or_from_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[webhooks.destinations]]\nname = "website"\nurl = "https://shop.example.com/"\nformat = "form"\n')
    (destination,) = load({"TFMODEL_SETTINGS": str(file)}).webhooks.destinations
    assert (destination.name, destination.format) == ("website", "form")
    assert set(destination.events) == set(EVENT_TYPES) - {"task.progress"}
    given = json.dumps([{**GOOD, "events": ["task.done"], "user_id": "anna"}])
    (destination,) = load({"TFMODEL_WEBHOOKS_DESTINATIONS": given}).webhooks.destinations
    assert (destination.events, destination.user_id) == (("task.done",), "anna")


@pytest.mark.parametrize(
    ("destinations", "words"),
    [
        ([{"name": "website"}], "url"),
        ([{**GOOD, "colour": "red"}], "colour"),
        ([{**GOOD, "name": "Web site"}], "name"),
        ([{**GOOD, "name": "task"}], "kept for"),
        ([GOOD, GOOD], "twice"),
        ([{**GOOD, "events": []}], "events"),
        ([{**GOOD, "events": ["task.finished"]}], "task.finished"),
        ([{**GOOD, "events": ["task.progress"]}], "/v1/events"),
        ([{**GOOD, "format": "xml"}], "format"),
        ([{**GOOD, "url": "shop.example.com/SECRET"}], "https://host/path"),
        ([{**GOOD, "url": "https://anna:SECRET@shop.example.com/"}], "password"),
        ([{**GOOD, "url": "http://127.0.0.1:8000/SECRET"}], "allowed_private"),
        ([{**GOOD, "url": "http://localhost/SECRET"}], "allowed_private"),
        ([{**GOOD, "url": "http://[::ffff:10.0.0.1]/SECRET"}], "allowed_private"),
        ([{**GOOD, "name": f"d{number}"} for number in range(17)], "length"),
    ],
)
def test_a_bad_destination_is_named_and_no_url_is_shown(destinations: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(SettingsError, match=r"\[webhooks\] destinations") as caught:
        load({"TFMODEL_WEBHOOKS_DESTINATIONS": json.dumps(destinations)})
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_variable_that_is_no_json_is_named() -> None:
    with pytest.raises(SettingsError, match="TFMODEL_WEBHOOKS_DESTINATIONS is not JSON"):
        load({"TFMODEL_WEBHOOKS_DESTINATIONS": '[{"name": '})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ALLOWED_HOSTS", "https://shop.example.com/hook"),
        ("ALLOWED_HOSTS", "shop example"),
        ("ALLOWED_PRIVATE", "backend:8080"),
        ("ALLOWED_PRIVATE", "10.0.0.0/99"),
        ("TIMEOUT_S", "0"),
        ("KEEP_TRYING_S", "-1"),
    ],
)
def test_every_other_mistake_is_named_too(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"\[webhooks\] {key.lower()}"):
        load({f"TFMODEL_WEBHOOKS_{key}": value})


def test_a_private_receiver_may_be_named() -> None:
    given = json.dumps([{**GOOD, "url": "http://localhost:8000/"}])
    for named in ("localhost", "127.0.0.0/8"):
        settings = load({"TFMODEL_WEBHOOKS_DESTINATIONS": given, "TFMODEL_WEBHOOKS_ALLOWED_PRIVATE": named})
        assert [each.url for each in settings.webhooks.destinations] == ["http://localhost:8000/"]
