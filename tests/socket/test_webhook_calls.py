"""`/v1/webhooks` and the webhook of a task, over HTTP: a real front-end, a real broker, receivers on loopback."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from conf.tokens import create_token
from conf.webhook_secrets import create_secret, read_secrets
from protocol.messages import Start
from tests.socket.programs import Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from tests.webhook_receiver import Receiver

JSON = {"Content-Type": "application/json"}


class Place:
    """A service with two destinations: one that works, and one whose URL has a secret and that answers 410."""

    def __init__(self, programs: Programs, website: Receiver, gone: Receiver) -> None:
        self.programs = programs
        self.website = website
        self.gone = gone

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.programs.call("POST", path, json.dumps(body or {}).encode(), {**JSON, **headers})

    def new_task(self, webhook: str = "") -> Answer:
        task = {"userId": "anna", "projectId": "p", "projectDir": "anna/flowers", "trainType": "classification"}
        return self.post("/v1/tasks", {**task, **({"webhook": webhook} if webhook else {})})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with Receiver(lambda _: 200) as website, Receiver(lambda _: 410) as gone:
        destinations = [
            {"name": "website", "url": website.url},
            {"name": "gone", "url": gone.url + "?key=SECRET", "events": ["task.submitted"], "format": "form"},
        ]
        programs = Programs(
            tmp_path_factory.mktemp("webhooks"),
            start=False,
            WEBHOOKS_DESTINATIONS=json.dumps(destinations),
            WEBHOOKS_ALLOWED_PRIVATE="127.0.0.1",
            WEBHOOKS_ALLOWED_HOSTS=f"http://127.0.0.1:{website.port}",
        )
        create_secret(programs.settings.webhook_secret_file)
        with programs:
            programs.start("broker")
            programs.start("web")
            programs.wait_synced()
            wait_until(lambda: "webhooks.started" in programs.log_of("web"), "the webhooks to start")
            yield Place(programs, website, gone)


def test_what_happens_to_a_task_arrives_signed_at_the_destination_and_at_its_own_url(place: Place) -> None:
    secret = read_secrets(place.programs.settings.webhook_secret_file)[0].secret
    own = place.website.url.replace("/hook", "/own")
    with ScriptedWorker(place.programs.endpoints.worker) as worker:
        worker.join()
        task_id = place.new_task(own).body["taskId"]
        worker.finish(worker.receive(Start))
    for path in ("/hook", "/own"):

        def arrived(path: str = path) -> list[str]:
            of_task = [each for each in place.website.delivered() if each.path == path and task_id in str(each.body)]
            return [each.json["type"] for each in of_task]

        wait_until(lambda: arrived()[-1:] == ["task.done"], "the last event")
        assert arrived() == ["task.submitted", "task.started", "task.done"]
    for each in place.website.received:
        event = Webhook(secret).verify(each.body, each.headers)
        assert event["userId"] == "anna"
    shown = place.programs.get("/v1/webhooks").body
    assert {each["destination"] for each in shown["attempts"]} >= {"website", "task"}


def test_the_overview_shows_destinations_and_dead_letters_without_their_urls(place: Place) -> None:
    place.new_task()

    def dead() -> list[dict[str, object]]:
        found: list[dict[str, object]] = place.programs.get("/v1/webhooks").body["deadLetters"]
        return found

    wait_until(dead, "a dead letter")
    answer = place.programs.get("/v1/webhooks?limit=1")
    assert "SECRET" not in str(answer.body)
    assert answer.body["delivers"] is True
    by_name = {each["name"]: each for each in answer.body["destinations"]}
    assert set(by_name) == {"website", "gone", "task"}
    assert by_name["gone"]["origin"] == f"http://127.0.0.1:{place.gone.port}"
    assert by_name["gone"]["lastError"].startswith("The receiver answered 410")
    wait_until(lambda: place.programs.get("/v1/webhooks").body["destinations"][0]["lag"] == 0, "no lag")
    (first,) = answer.body["deadLetters"]
    assert (first["destination"], first["eventType"], first["status"]) == ("gone", "task.submitted", 410)
    place.new_task()
    wait_until(lambda: len(dead()) >= 2, "a second dead letter")
    page = place.programs.get("/v1/webhooks?limit=1").body
    following = place.programs.get(f"/v1/webhooks?limit=1&cursor={page['next']}").body
    assert following["deadLetters"][0]["id"] < page["deadLetters"][0]["id"] == page["next"]


def test_a_dead_letter_is_sent_again(place: Place) -> None:
    place.new_task()
    wait_until(lambda: place.programs.get("/v1/webhooks").body["deadLetters"], "a dead letter")
    letter = place.programs.get("/v1/webhooks").body["deadLetters"][0]
    place.gone.react = lambda _: 204
    try:
        answer = place.post(f"/v1/webhooks/dead-letters/{letter['id']}/resend")
        assert (answer.status, answer.body["webhookId"]) == (202, letter["webhookId"])
        wait_until(
            lambda: [each for each in place.gone.delivered() if each.headers["webhook-id"] == letter["webhookId"]],
            "its delivery",
        )
    finally:
        place.gone.react = lambda _: 410
    for wrong in (letter["id"], 10**9, 0, "x", "9" * 40, "%F0"):
        answer = place.post(f"/v1/webhooks/dead-letters/{wrong}/resend")
        assert answer.status in (400, 404), (wrong, answer)


def test_a_test_says_what_came_back(place: Place) -> None:
    before = len(place.website.received)
    answer = place.post("/v1/webhooks/test", {"destination": "website"})
    (result,) = answer.body["results"]
    assert (answer.status, result["destination"], result["delivered"], result["status"]) == (200, "website", True, 200)
    (received,) = [each for each in place.website.received[before:] if each.json["type"] == "webhook.test"]
    Webhook(read_secrets(place.programs.settings.webhook_secret_file)[0].secret).verify(received.body, received.headers)
    both = place.post("/v1/webhooks/test").body["results"]
    assert [(each["destination"], each["status"]) for each in both] == [("website", 200), ("gone", 410)]
    unknown = place.post("/v1/webhooks/test", {"destination": "nobody"})
    assert (unknown.status, unknown.body["code"]) == (404, "unknown_destination")
    assert "website" in unknown.body["error"]
    assert place.post("/v1/webhooks/test", {"url": "http://evil.example"}).status == 400


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "http://127.0.0.1:1/", "http://user:p@127.0.0.1/", "file:///etc/passwd", "hook"]
)
@pytest.mark.door(23)
def test_a_task_may_not_point_to_another_host(place: Place, url: str) -> None:
    answer = place.new_task(url)
    assert (answer.status, answer.body["code"]) == (403, "webhook_not_allowed")
    assert list(answer.body["fields"]) == ["webhook"]


def test_figures_are_shown(place: Place) -> None:
    address = f"http://127.0.0.1:{place.programs.ports['WEB_PORT']}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(address).read().decode()
    assert 'tfmodel_webhook_attempts_total{destination="website",result="delivered"}' in text
    assert 'tfmodel_webhook_dead_letters{destination="gone"}' in text


def test_webhooks_are_for_tokens_of_all_users(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs:
        plain = programs.get("/v1/webhooks")
        assert (plain.status, plain.body["destinations"], plain.body["delivers"]) == (200, [], False)
        refused = programs.call("POST", "/v1/webhooks/test", b"{}", JSON)
        assert (refused.status, refused.body["code"]) == (404, "unknown_destination")
        tokens = programs.settings.token_file
        of_anna, reading = create_token(tokens, "anna", "anna"), create_token(tokens, "reads", read_only=True)
        everyone = {"Authorization": f"Bearer {create_token(tokens, 'all')}"}
        as_anna = {"Authorization": f"Bearer {of_anna}"}
        wait_until(lambda: programs.get("/v1/webhooks", **as_anna).status == 403, "the tokens to count")
        for method, path in (
            ("GET", "/v1/webhooks"),
            ("POST", "/v1/webhooks/test"),
            ("POST", "/v1/webhooks/dead-letters/1/resend"),
        ):
            answer = programs.call(method, path, b"{}" if method == "POST" else None, {**JSON, **as_anna})
            assert (answer.status, answer.body["code"]) == (403, "user_not_allowed"), path
        reads = {"Authorization": f"Bearer {reading}"}
        assert programs.get("/v1/webhooks", **reads).status == 200
        assert programs.call("POST", "/v1/webhooks/test", b"{}", {**JSON, **reads}).body["code"] == "read_only_token"
        task = {"userId": "u", "projectId": "p", "projectDir": "anna/flowers", "trainType": "classification"}
        body = json.dumps({**task, "webhook": "https://shop.example.com/"}).encode()
        refusal = programs.call("POST", "/v1/tasks", body, {**JSON, **everyone})
        assert (refusal.status, refusal.body["code"]) == (403, "webhook_not_allowed")
        assert "[webhooks] allowed_hosts" in refusal.body["error"]


def test_receivers_without_a_secret_stop_the_front_end_with_a_sentence(tmp_path: Path) -> None:
    destinations = json.dumps([{"name": "website", "url": "https://shop.example.com/"}])
    with Programs(tmp_path, start=False, WEBHOOKS_DESTINATIONS=destinations) as programs:
        done = programs.run("server.py", "run")
    assert done.returncode == 78
    assert "webhook-secret create" in done.stderr
