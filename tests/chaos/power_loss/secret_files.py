"""Scenarios of the files with secrets: tokens, the secrets of webhooks, and CURVE keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from conf.curve import ROLES, load_client_keys, make_keys
from conf.settings import SettingsError
from conf.tokens import TokenError, create_token, read_tokens, revoke_token
from conf.webhook_secrets import WebhookSecretError, create_secret, end_rotation, read_secrets, rotate_secret
from tests.chaos.power_loss.recording import mark
from tests.chaos.power_loss.scenario import Problem

STATE = Path("home") / "state"


class Tokens:
    """Tokens are made and revoked. A revoked token must never open a door again."""

    name = "tokens"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        pass

    def act(self, folder: Path) -> None:
        file = folder / STATE / "tokens.json"
        for number in range(3):
            create_token(file, f"t{number}")
            mark(f"made t{number}")
        for number in range(3):
            revoke_token(file, f"t{number}")
            mark(f"revoked t{number}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        try:
            found = {token.name for token in read_tokens(folder / STATE / "tokens.json") or ()}
        except TokenError as error:
            yield Problem("torn", str(error))
            return
        told = {name: state for state, name in map(str.split, marks)}
        number = len(marks)
        under_way = f"t{number % 3}" if number < 6 else ""
        for name, state in told.items():
            if name != under_way and (name in found) != (state == "made"):
                yield Problem("lost", f"the token {name} was {state}")


class WebhookSecrets:
    """A secret is made, rotated, and the old one forgotten."""

    name = "webhook secrets"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        pass

    def act(self, folder: Path) -> None:
        file = folder / STATE / "webhooks.json"
        first = create_secret(file)
        mark(f"only {first}")
        second = rotate_secret(file)
        mark(f"both {second} {first}")
        end_rotation(file)
        mark(f"only {second}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        try:
            found = [each.secret for each in read_secrets(folder / STATE / "webhooks.json")]
        except WebhookSecretError as error:
            yield Problem("torn", str(error))
            return
        for state, *wanted in [words.split() for words in marks][-1:]:
            # The next command may be on the disk before its caller is told.
            if not set(wanted) & set(found) or (state == "both" and found not in (wanted, wanted[:1])):
                yield Problem("lost", f"the secrets were {state}, and {len(found)} are there")


class Keys:
    """The keys for TCP are made at the first start."""

    name = "keys"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        (folder / "var").mkdir()

    def act(self, folder: Path) -> None:
        make_keys(folder / "var" / "keys")
        mark("made")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        keys = folder / "var" / "keys"
        if not keys.exists():
            if marks:
                yield Problem("lost", "the keys were made")
            return
        try:
            for role in ROLES:
                load_client_keys(keys, role)
        except SettingsError as error:
            yield Problem("torn", str(error))
