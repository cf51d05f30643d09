"""Tokens: hashed, in a file of their own, and never a reason to open the door when something is wrong with it."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from tornado.httputil import HTTPHeaders

from conf.private_file import SEAL
from conf.settings import SettingsError, load
from conf.tokens import (
    TokenError,
    check_may_listen,
    create_token,
    read_tokens,
    redact,
    revoke_token,
    token_hash,
)
from tests.token_gates import bearer, make_gate
from web.answers.refusal import Refusal
from web.door.token_gate import ANYBODY, Caller, TokenGate


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "var" / "tokens.json"


def unsealed(file: Path) -> bytes:
    """The content of the file without its checksum."""
    return file.read_bytes().partition(SEAL)[0]


def code_for(gate: TokenGate, token: str | None) -> str:
    """The refusal's code; "" when the token is let in."""
    try:
        gate.admit(HTTPHeaders() if token is None else bearer(f"Bearer {token}"))
    except Refusal as refusal:
        return str(refusal.problem.code)
    return ""


@pytest.mark.door(16)
def test_only_hashes_are_kept_and_only_the_owner_may_read_them(file: Path) -> None:
    token = create_token(file, "website", "anna", read_only=True)
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    (kept,) = read_tokens(file) or []
    assert (kept.name, kept.sha256, kept.user, kept.read_only) == ("website", token_hash(token), "anna", True)
    assert sorted(path.name for path in file.parent.iterdir()) == ["tokens.json", "tokens.json.lock"]


@pytest.mark.door(16)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_belongs_to_the_owner_of_the_state_folder(file: Path) -> None:
    file.parent.mkdir(parents=True)
    os.chown(file.parent, 12345, 12345)
    create_token(file, "website")
    assert {path.stat().st_uid for path in file.parent.iterdir()} == {12345}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.door(16)
def test_a_folder_made_for_tokens_is_closed_to_others_whatever_the_umask(file: Path) -> None:
    """`token create` may be the first command of all. The journal and the keys will lie in that folder, too."""
    before = os.umask(0o000)
    try:
        create_token(file, "website")
    finally:
        os.umask(before)
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.door(16)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_somebody_else_has_put_there_is_refused(file: Path) -> None:
    """Whoever may write into the folder can put a file of their own there, and close it to others."""
    create_token(file, "website")
    os.chown(file, 12345, 12345)
    with pytest.raises(TokenError, match="12345"):
        read_tokens(file)


@pytest.mark.door(16)
def test_each_token_is_long_and_another(file: Path) -> None:
    tokens = {create_token(file, f"t{number}") for number in range(5)}
    assert len(tokens) == 5
    assert all(len(token) > 40 for token in tokens)


@pytest.mark.door(16)
@pytest.mark.parametrize("name", ["", ".hidden", "a b", "a/b", "a" * 65, "ä", "a\n"])
def test_a_name_that_is_not_allowed_makes_no_token(file: Path, name: str) -> None:
    with pytest.raises(TokenError, match="letters"):
        create_token(file, name)
    assert read_tokens(file) is None


@pytest.mark.door(16)
@pytest.mark.parametrize("user", ["", "  "])
def test_an_empty_user_makes_no_token_for_all(file: Path, user: str) -> None:
    """A script whose variable is not set must not open everybody's tasks."""
    with pytest.raises(TokenError, match="empty"):
        create_token(file, "website", user)
    assert read_tokens(file) is None


@pytest.mark.door(16)
def test_a_name_is_given_once_and_can_be_revoked(file: Path) -> None:
    create_token(file, "website")
    with pytest.raises(TokenError, match="already"):
        create_token(file, "website")
    with pytest.raises(TokenError, match="website"):
        revoke_token(file, "other")
    assert revoke_token(file, "website") == 0
    assert read_tokens(file) == []


@pytest.mark.door(16)
def test_tokens_made_at_the_same_moment_are_all_kept(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create_token(file, f"t{number}"), range(16)))
    assert len(read_tokens(file) or []) == 16


@pytest.mark.door(16)
def test_changes_count_without_a_restart(file: Path) -> None:
    gate = make_gate(file)
    assert gate.admit(HTTPHeaders()) == ANYBODY
    token = create_token(file, "website", "anna")
    assert code_for(gate, None) == "unauthorized"
    assert gate.admit(bearer(f"bearer  {token} ")) == Caller("anna", False, "website")
    for wrong in (f"Basic {token}", token, f"Bearer {token}x", f"Bearer {token[:-1]}", "Bearer ", "Bearer \udcff"):
        with pytest.raises(Refusal):
            gate.admit(bearer(wrong))
    revoke_token(file, "website")
    assert code_for(gate, token) == "unauthorized"
    again = create_token(file, "website", "anna")
    assert code_for(gate, again) == "", "a token counts from the moment at which it is made"


@pytest.mark.door(16)
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[", b"null", b"[1]", b"\xff", b"[" * 100_000, b'[{"name": "a"}]', b'["\xff"]']
)
def test_a_damaged_file_lets_nobody_in(file: Path, content: bytes) -> None:
    gate = make_gate(file)
    token = create_token(file, "website")
    assert code_for(gate, token) == ""
    good = file.read_bytes()
    file.write_bytes(content)
    assert code_for(gate, token) == code_for(gate, None) == "tokens_unreadable"
    file.write_bytes(good)
    assert code_for(gate, token) == ""


@pytest.mark.door(16)
def test_an_error_that_passes_keeps_nobody_out_for_good(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk has the same file before and after it."""

    def refuse(*given: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    token, gate = create_token(file, "website"), make_gate(file)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for _ in range(3):
            assert code_for(gate, token) == "tokens_unreadable"
    assert len(caplog.records) == 1, "each call would fill the log"
    assert code_for(gate, token) == ""


@pytest.mark.door(16)
def test_an_unknown_field_lets_nobody_in(file: Path) -> None:
    """A newer version's restriction must not be overlooked."""
    create_token(file, "website")
    file.write_bytes(unsealed(file).replace(b'"name"', b'"only_at_night": true, "name"'))
    with pytest.raises(TokenError, match="only_at_night"):
        read_tokens(file)


@pytest.mark.door(16)
def test_a_flipped_bit_gives_a_token_to_nobody_else(file: Path) -> None:
    """The file still is valid JSON then, and the token is another user's."""
    gate, token = make_gate(file), create_token(file, "website", "7")
    file.write_bytes(file.read_bytes().replace(b'"user": "7"', b'"user": "6"'))
    assert code_for(gate, token) == "tokens_unreadable"
    with pytest.raises(TokenError, match="does not fit the checksum"):
        revoke_token(file, "website")


@pytest.mark.door(16)
def test_a_file_of_an_earlier_version_gets_its_checksum_at_the_next_change(file: Path) -> None:
    token = create_token(file, "website")
    file.write_bytes(unsealed(file))
    assert code_for(make_gate(file), token) == ""
    create_token(file, "another")
    assert file.read_bytes() != unsealed(file)


@pytest.mark.door(16)
def test_a_file_that_others_may_write_to_or_that_is_none_lets_nobody_in(file: Path) -> None:
    token = create_token(file, "website")
    file.chmod(0o666)
    assert code_for(make_gate(file), token) == "tokens_unreadable"
    file.chmod(0o600)
    real = file.rename(file.with_name("real.json"))
    file.symlink_to(real)
    assert code_for(make_gate(file), token) == "tokens_unreadable"
    file.unlink()
    os.mkfifo(file)
    assert code_for(make_gate(file), token) == "tokens_unreadable"
    file.unlink()
    file.mkdir()
    gate, descriptors = make_gate(file), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - it is no place
    for _ in range(2):
        assert code_for(gate, token) == "tokens_unreadable"
    assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208


@pytest.mark.door(26)
def test_a_file_that_everybody_may_read_lets_nobody_in(file: Path) -> None:
    """Its hashes sign sessions."""
    token = create_token(file, "website")
    file.chmod(0o644)
    assert code_for(make_gate(file), token) == "tokens_unreadable"


@pytest.mark.door(16)
def test_a_file_that_has_gone_lets_nobody_in(file: Path) -> None:
    gate = make_gate(file)
    token = create_token(file, "website")
    assert code_for(gate, token) == ""
    file.unlink()
    assert code_for(gate, token) == code_for(gate, None) == "tokens_unreadable"


@pytest.mark.door(16)
def test_beyond_this_machine_no_file_lets_nobody_in(file: Path) -> None:
    assert code_for(make_gate(file, needed=True), None) == "tokens_unreadable"


# ---- at the start ----


@pytest.mark.door(16)
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "*"])
def test_listening_beyond_this_machine_needs_a_token_or_a_word(tmp_path: Path, host: str) -> None:
    environ = {"TFMODEL_WEB_HOST": host, "TFMODEL_HOME": str(tmp_path)}
    with pytest.raises(SettingsError, match=r"server\.py token create") as caught:
        check_may_listen(load(environ))
    assert "allow_anonymous" in str(caught.value)
    check_may_listen(load({**environ, "TFMODEL_WEB_ALLOW_ANONYMOUS": "true"}))
    create_token(load(environ).token_file, "website")
    check_may_listen(load(environ))
    revoke_token(load(environ).token_file, "website")
    with pytest.raises(SettingsError):
        check_may_listen(load(environ))


@pytest.mark.door(16)
def test_a_token_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    settings = load({"TFMODEL_HOME": str(tmp_path)})
    check_may_listen(settings)
    settings.token_file.parent.mkdir()
    settings.token_file.write_text("nonsense")
    with pytest.raises(SettingsError, match=r"tokens\.json"):
        check_may_listen(settings)


# ---- logs ----


@pytest.mark.door(16)
def test_what_looks_like_a_token_is_cut_short_in_logs(file: Path) -> None:
    token = create_token(file, "website")
    assert redact(f"x {token} y {token}") == "x tfm_… y tfm_…"
    assert redact("Cookie: a=b; tfmodel_2333=web.1764547200.0f0f; c=d") == "Cookie: a=b; tfmodel_2333=…; c=d"
    assert redact("nothing to hide") == "nothing to hide"
