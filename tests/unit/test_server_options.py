"""Which server a command calls: what is no address is said, and no token is shown by accident."""

from __future__ import annotations

import pytest

from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.server_options import ServerOptions, connected


@pytest.mark.parametrize("address", ["nonsense", "http://", "http://host:port", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(CommandError, match="is not an address") as refused, connected(ServerOptions(address)):
        pass
    assert refused.value.exit_code == ExitCode.BAD_COMMAND_LINE


def test_the_token_is_no_part_of_what_is_printed_of_the_options() -> None:
    assert "tfm_secret" not in repr(ServerOptions(token="tfm_secret"))
