"""A short share of the HTTP fuzzer: whatever comes, the front-end goes on answering and never with a 500."""

from __future__ import annotations

from pathlib import Path

from tests.security.fuzz_http import fuzz
from tests.socket.programs import Programs

INPUTS = 600


def test_any_bytes_are_answered_or_cut_off(tmp_path: Path) -> None:
    with Programs(tmp_path, HOME=tmp_path / "state", WEB_TRANSFER_TIMEOUT_S=2) as programs:
        counts = fuzz(programs.ports["WEB_PORT"], INPUTS, seed=1)
        assert counts == {"inputs": INPUTS, "not_answering": 0, "server_errors": 0}, programs.log_of("web")[-5000:]
        assert "Traceback" not in programs.log_of("web")
        assert "Traceback" not in programs.log_of("broker")
        assert programs.post().status == 200
