"""The CURVE keys: one pair a role, secrets for their owner only, and keys in use are not overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conf.curve import FRONT_END, ROLES, WORKER, broker_keys, load_client_keys, local_client_keys, make_keys
from conf.settings import ROOT, Settings, SettingsError, load
from tests.waiting import TIMEOUT_S


def settings(home: Path, host: str = "127.0.0.1") -> Settings:
    return load({"TFMODEL_HOME": str(home), "TFMODEL_BROKER_HOST": host})


def test_secrets_are_readable_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "made-by-the-operator"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        make_keys(folder)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    secrets = [folder / "broker.key_secret", *(folder / role / f"{role}.key_secret" for role in ROLES)]
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600] * 3
    assert sorted(path.name for path in folder.rglob("*_secret")) == sorted(path.name for path in secrets)


def test_a_folder_made_for_keys_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    """`server.py keys make` may be the first command of all. Journal and tokens will lie beside the keys."""
    before = os.umask(0o000)
    try:
        make_keys(tmp_path / "var" / "keys")
    finally:
        os.umask(before)
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700


def test_each_role_has_a_pair_of_its_own(tmp_path: Path) -> None:
    here = settings(tmp_path)
    public, _ = broker_keys(here)
    keys = {role: local_client_keys(here, role) for role in ROLES}
    assert {found.broker_public for found in keys.values() if found} == {public}
    assert len({found.secret for found in keys.values() if found}) == 2


def test_unix_sockets_need_no_keys_and_none_are_made(tmp_path: Path) -> None:
    assert local_client_keys(settings(tmp_path, host=""), FRONT_END) is None
    assert not (tmp_path / "var").exists()


def test_programs_that_start_at_once_all_get_the_keys_of_the_first(tmp_path: Path) -> None:
    here = settings(tmp_path)
    found: list[object] = []

    def start() -> None:
        keys = local_client_keys(here, WORKER)
        found.append((broker_keys(here)[0], keys and (keys.broker_public, keys.secret)))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["keys"], "nothing half made is left"


def test_a_worker_elsewhere_needs_two_things_and_makes_none(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    copied = tmp_path / "copied"
    (copied / WORKER).mkdir(parents=True)
    for name in ("broker.key", "worker/worker.key", "worker/worker.key_secret"):
        (copied / name).write_bytes((tmp_path / "keys" / name).read_bytes())
    (copied / "worker" / "worker.key_secret").chmod(0o600)
    assert load_client_keys(copied, WORKER) == load_client_keys(tmp_path / "keys", WORKER)
    with pytest.raises(SettingsError, match="front_end"):
        load_client_keys(copied, FRONT_END)
    with pytest.raises(SettingsError, match=r"server.py keys make"):
        load_client_keys(tmp_path / "nowhere", WORKER)
    assert not (tmp_path / "nowhere").exists()


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "worker" / "worker.key_secret").chmod(0o644)
    with pytest.raises(SettingsError, match="others may read"):
        load_client_keys(tmp_path / "keys", WORKER)


def test_a_second_pair_is_refused_in_words(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    before = (tmp_path / "keys" / "broker.key_secret").read_bytes()
    command = [sys.executable, "server.py", "keys", "make"]
    environ = {**os.environ, "TFMODEL_BROKER_CURVE_DIR": str(tmp_path / "keys")}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 1
    assert "holds keys already" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "keys" / "broker.key_secret").read_bytes() == before


def test_with_several_brokers_no_program_makes_keys_of_its_own(tmp_path: Path) -> None:
    """Each machine would make other keys, and front-ends could then talk to one broker only."""
    several = load(
        {"TFMODEL_HOME": str(tmp_path), "TFMODEL_BROKER_HOST": "192.0.2.1", "TFMODEL_BROKER_ADDRESSES": "192.0.2.1,db"}
    )
    elsewhere = load({"TFMODEL_HOME": str(tmp_path), "TFMODEL_BROKER_ADDRESSES": "192.0.2.1"})
    for refused in (
        lambda: broker_keys(several),
        lambda: local_client_keys(several, FRONT_END),
        lambda: local_client_keys(elsewhere, FRONT_END),
    ):
        with pytest.raises(SettingsError, match="all brokers use the same keys"):
            refused()
    assert not several.broker.curve_path.exists()
    make_keys(several.broker.curve_path)
    public, _ = broker_keys(several)
    found = local_client_keys(elsewhere, FRONT_END)
    assert found is not None
    assert found.broker_public == public
