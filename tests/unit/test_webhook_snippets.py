"""The programs in docs/webhooks.md that check a signature accept ours and refuse every other, where they can run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.settings import ROOT
from conf.webhook_secrets import create_secret, read_secrets, rotate_secret
from tests.waiting import TIMEOUT_S
from web.webhooks.webhook_message import WebhookMessage, headers_of

BODY = '{"userId": "Zoë", "state": "done"}'.encode()
#: By language: the program that runs it, and what makes the snippet read its case from stdin and print true or false.
RUNTIMES = {
    "php": (
        "php",
        "<?php\n{snippet}\n$case = json_decode(stream_get_contents(STDIN), true);\n"
        "echo is_genuine($case['body'], $case['headers'], $case['secret']) ? 'true' : 'false';",
    ),
    "js": (
        "node",
        '{snippet}\nconst c = JSON.parse(require("node:fs").readFileSync(0));\n'
        "console.log(isGenuine(Buffer.from(c.body), c.headers, c.secret));",
    ),
    "python": (
        sys.executable,
        "{snippet}\nimport json, sys\nc = json.load(sys.stdin)\n"
        "print(str(is_genuine(c['body'].encode(), c['headers'], c['secret'])).lower())",
    ),
}


def snippet(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs/webhooks.md").read_text(), re.M | re.S)
    return str(found)


def judged(language: str, folder: Path, headers: dict[str, str], secret: str, body: bytes = BODY) -> str:
    program, template = RUNTIMES[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    file = folder / f"check.{language}"
    file.write_text(template.replace("{snippet}", snippet(language)))
    case = json.dumps({"body": body.decode(), "headers": headers, "secret": secret})
    done = subprocess.run(
        [program, str(file)], input=case, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("language", RUNTIMES)
def test_a_snippet_tells_genuine_webhooks_from_others(language: str, tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    old, new = create_secret(file), rotate_secret(file)
    message = WebhookMessage("https://shop.example.com/", "evt_1_x", BODY, "application/json")
    keys = [each.key() for each in read_secrets(file)]
    headers = dict(headers_of(message, keys, time.time()))
    assert judged(language, tmp_path, headers, old) == judged(language, tmp_path, headers, new) == "true"
    stranger = create_secret(tmp_path / "other")
    assert judged(language, tmp_path, headers, stranger) == "false"
    assert judged(language, tmp_path, headers, new, BODY + b" ") == "false"
    late = dict(headers_of(message, keys, time.time() - 3600))
    assert judged(language, tmp_path, late, new) == "false"


@pytest.mark.parametrize("language", RUNTIMES)
def test_a_snippet_is_short(language: str) -> None:
    assert len(snippet(language).strip().splitlines()) <= 12
