"""Keys are replaced without a moment in which nobody is admitted, and no secret is shown."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import zmq.auth

from conf.curve import FRONT_END, ROLES, WORKER, load_client_keys, make_keys
from conf.key_rotation import BROKER, end_rotation, public_keys, rotate
from conf.settings import SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    make_keys(made)
    return made


def admitted(folder: Path, role: str) -> set[bytes]:
    """The keys that the broker's authenticator takes."""
    return set(zmq.auth.load_certificates(folder / role))


@pytest.mark.parametrize("role", ROLES)
def test_both_keys_of_a_role_are_admitted_until_the_rotation_ends(folder: Path, role: str) -> None:
    before = load_client_keys(folder, role)
    rotate(folder, role)
    after = load_client_keys(folder, role)
    assert after.secret != before.secret
    assert after.broker_public == before.broker_public
    assert admitted(folder, role) == {before.public, after.public}
    assert (folder / role / f"{role}.key_secret").stat().st_mode & 0o777 == 0o600
    assert end_rotation(folder, role) == 1
    assert admitted(folder, role) == {after.public}
    assert end_rotation(folder, role) == 0


def test_an_interrupted_rotation_leaves_keys_that_are_admitted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its writes does not happen any more."""
    original = os.rename
    for survived in range(3):
        place = folder.parent / f"copy{survived}"
        shutil.copytree(folder, place)
        left = [survived]

        def rename(*args: object, left: list[int] = left, **more: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("no space left")
            original(*args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(OSError, match="no space left"):
            rotate(place, WORKER)
        monkeypatch.setattr(os, "rename", original)
        assert load_client_keys(place, WORKER).public in admitted(place, WORKER)
        assert load_client_keys(folder, WORKER).public in admitted(place, WORKER), "those elsewhere go on"


def test_the_brokers_own_pair_is_replaced_at_once(folder: Path) -> None:
    before = load_client_keys(folder, WORKER)
    rotate(folder, BROKER)
    after = load_client_keys(folder, WORKER)
    assert after.broker_public != before.broker_public
    assert after.secret == before.secret


def test_fingerprints_name_keys_and_tell_no_secret(folder: Path) -> None:
    before = public_keys(folder)
    assert [key.pair for key in before] == [BROKER, *ROLES]
    assert len({key.fingerprint for key in before}) == 3
    rotate(folder, WORKER)
    after = public_keys(folder)
    assert [(key.pair, key.earlier) for key in after][2:] == [(WORKER, False), (WORKER, True)]
    assert after[3].fingerprint == before[2].fingerprint
    secret = load_client_keys(folder, WORKER).secret.decode()
    assert secret not in repr(after)


def test_nothing_is_rotated_where_no_keys_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="keys make"):
        rotate(tmp_path / "nowhere", WORKER)
    with pytest.raises(SettingsError, match="keys make"):
        public_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_keys_that_root_makes_belong_to_the_service(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    os.chown(var, 12345, 12345)
    make_keys(var / "keys")
    rotate(var / "keys", FRONT_END)
    assert {path.stat().st_uid for path in (var / "keys").rglob("*")} == {12345}
    assert (var / "keys").stat().st_uid == 12345
