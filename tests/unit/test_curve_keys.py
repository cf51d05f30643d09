"""The CURVE keys: secrets are for their owner only, and keys in use are not overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conf.curve import load_broker_keys, load_client_keys, make_keys
from conf.settings import ROOT


def test_secrets_are_readable_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "made-by-the-operator"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        make_keys(folder)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes["broker.key_secret"] == modes["client.key_secret"] == 0o600
    public, _ = load_broker_keys(folder)
    keys = load_client_keys(folder)
    assert keys is not None
    assert keys.broker_public == public


def test_a_second_pair_is_refused_in_words(tmp_path: Path) -> None:
    make_keys(tmp_path)
    before = (tmp_path / "broker.key_secret").read_bytes()
    command = [sys.executable, "-m", "broker", "keys", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "holds keys already" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "broker.key_secret").read_bytes() == before
