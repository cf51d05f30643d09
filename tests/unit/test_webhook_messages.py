"""The body, id and signatures of a webhook. The specification's own library checks the signatures."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from conf.settings import SettingsError, load
from conf.webhook_secrets import (
    WebhookSecretError,
    check_may_send,
    create_secret,
    end_rotation,
    read_secrets,
    rotate_secret,
)
from protocol.events import Event
from web.webhooks.secret_keys import SecretKeys
from web.webhooks.webhook_message import TestEvent, WebhookMessage, body_of, body_of_test, headers_of, webhook_id

EVENT = Event(
    id=17,
    type="task.failed",
    at="2026-11-29T20:00:00.123+00:00",
    task_id="0" * 31 + "1",
    user_id="anna",
    project_id="flowers",
    train_type="classification",
    state="failed",
    progress=41.5,
    attempt=2,
    error="Too few pictures, öäü.",
    code="too_few_images",
)


def message(body: bytes) -> WebhookMessage:
    return WebhookMessage("https://shop.example.com/", webhook_id(EVENT, "website"), body, "application/json")


def test_the_library_of_the_specification_accepts_our_signatures(tmp_path: Path) -> None:
    secret = create_secret(tmp_path / "secrets")
    body = body_of(EVENT, "json")
    headers = dict(headers_of(message(body), [each.key() for each in read_secrets(tmp_path / "secrets")], time.time()))
    assert Webhook(secret).verify(body, headers) == msgspec.json.decode(body)
    for changed in (body + b" ", body.replace(b"anna", b"eve")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-id": "evt_18"})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers | {"webhook-timestamp": str(int(time.time()) + 1)})


def test_during_a_rotation_receivers_with_either_secret_accept_a_webhook(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    old = create_secret(file)
    new = rotate_secret(file)
    assert [each.secret for each in read_secrets(file)] == [new, old]
    body = body_of(EVENT, "json")
    headers = dict(headers_of(message(body), [each.key() for each in read_secrets(file)], time.time()))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    end_rotation(file)
    headers = dict(headers_of(message(body), [each.key() for each in read_secrets(file)], time.time()))
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_secrets_are_private_and_commands_out_of_turn_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "var" / "secrets"
    for command, words in ((rotate_secret, "no secret yet"), (end_rotation, "No rotation")):
        with pytest.raises(WebhookSecretError, match=words):
            command(file)
    create_secret(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WebhookSecretError, match="already"):
        create_secret(file)
    rotate_secret(file)
    with pytest.raises(WebhookSecretError, match="under way"):
        rotate_secret(file)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'[{"secret": "whsec_x", "created_at": ""}]', b"\xff", b"[" * 9999]
)
def test_a_damaged_file_of_secrets_is_named_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secrets"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(WebhookSecretError, match="damaged") as caught:
        read_secrets(file)
    assert "whsec_x" not in str(caught.value)


def test_keys_follow_the_file_and_outlive_it(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    keys = SecretKeys(file)
    with pytest.raises(WebhookSecretError, match="webhook-secret create"):
        keys()
    create_secret(file)
    first = keys()
    rotate_secret(file)
    assert len(keys()) == 2
    assert keys()[1] == first[0]
    file.unlink()
    assert len(keys()) == 2


def test_receivers_without_a_secret_stop_the_start(tmp_path: Path) -> None:
    environ = {"TFMODEL_HOME": str(tmp_path), "TFMODEL_WEBHOOKS_ALLOWED_HOSTS": "shop.example.com"}
    with pytest.raises(SettingsError, match="webhook-secret create"):
        check_may_send(load(environ))
    create_secret(load(environ).webhook_secret_file)
    check_may_send(load(environ))
    check_may_send(load({"TFMODEL_HOME": str(tmp_path / "other")}))


def test_a_form_has_the_fields_of_the_original_api() -> None:
    fields = {name: values[0] for name, values in parse_qs(body_of(EVENT, "form").decode(), True).items()}
    assert fields == {
        "taskId": EVENT.task_id,
        "modelPath": "",
        "progress": "41.5",
        "state": "failed",
        "error": EVENT.error,
        "code": "too_few_images",
    }
    done = msgspec.structs.replace(
        EVENT, type="task.done", state="done", error="", code="", model_path="/m/model.tflite"
    )
    assert set(parse_qs(body_of(done, "form").decode(), True)) == {"taskId", "modelPath", "progress", "state"}
    assert b"state=test" in body_of_test(TestEvent("now", "website"), "form")


def test_an_id_is_one_for_each_event_and_destination() -> None:
    assert webhook_id(EVENT, "website") == webhook_id(msgspec.structs.replace(EVENT, progress=50.0), "website")
    others = [
        webhook_id(EVENT, "task"),
        webhook_id(msgspec.structs.replace(EVENT, id=18), "website"),
        # A restored journal numbers its facts anew.
        webhook_id(msgspec.structs.replace(EVENT, at="2026-11-29T21:00:00.123+00:00"), "website"),
        webhook_id(msgspec.structs.replace(EVENT, task_id="0" * 31 + "2"), "website"),
    ]
    assert len({webhook_id(EVENT, "website"), *others}) == 5
