"""The error that ends a command with a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping

from service.exit_codes import ExitCode


class CommandError(Exception):
    """A command cannot do what it was asked. The message says why, and what to do.

    code: a stable word for programs, where the server gave one. fields: a sentence for each bad field.
    """

    def __init__(
        self,
        error: str,
        exit_code: ExitCode = ExitCode.FAILED,
        code: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.exit_code = exit_code
        self.code = code
        self.fields = dict(fields or {})
