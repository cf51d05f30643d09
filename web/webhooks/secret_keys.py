"""The keys that sign webhooks. A change of their file takes effect at the next webhook."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from conf.webhook_secrets import WebhookSecretError, read_secrets

log = logging.getLogger("web")


class SecretKeys:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: tuple[bytes, ...] = ()
        self._complained = ""

    def __call__(self) -> Sequence[bytes]:
        """The keys, the newest first. If the file can no longer be used, those that it had before.

        Raises WebhookSecretError if there were none: no webhook leaves without a signature.
        """
        self._look()
        if not self._keys:
            raise WebhookSecretError(
                "There is no secret to sign webhooks with; make one with 'python server.py webhook-secret create'."
            )
        return self._keys

    def _look(self) -> None:
        try:
            found = read_secrets(self._file)
            trouble = "" if found else f"The file of webhook secrets {self._file} is missing."
        except WebhookSecretError as error:
            found, trouble = (), str(error)
        if trouble and trouble != self._complained:
            log.error("action=webhooks.no_secret reason='%s The secrets from before are used.'", trouble)
        self._complained = trouble
        self._keys = tuple(each.key() for each in found) or self._keys
