"""TFMODEL_KEYS: the text with a worker's keys is whole, or refused with a sentence that does not repeat it."""

from __future__ import annotations

import pytest
import zmq

from conf.curve import ClientKeys
from conf.settings import SettingsError
from conf.worker_keys import PREFIX, keys_as_text, keys_of_text


@pytest.fixture
def keys() -> ClientKeys:
    return ClientKeys(zmq.curve_keypair()[0], *zmq.curve_keypair())


def test_the_keys_come_back_as_they_were(keys: ClientKeys) -> None:
    text = keys_as_text(keys)
    assert keys_of_text(text) == keys
    assert keys_of_text(f" {text}\n") == keys, "as it is pasted"
    assert len(text) < 100
    assert text.isascii()
    assert not set(text) & set(" \"'\\$&;,="), "no shell and no settings file has to quote it"


def test_a_text_that_is_not_whole_is_refused(keys: ClientKeys) -> None:
    text = keys_as_text(keys)
    other = "A" if text[40] != "A" else "B"
    swapped = text[:30] + text[31] + text[30] + text[32:]
    for bad in (text[:-1], text[:20], text + "x", text[:40] + other + text[41:], PREFIX, f"{text[:40]}é{text[41:]}"):
        with pytest.raises(
            SettingsError, match=r"TFMODEL_KEYS is cut off or has a wrong character.*join-command"
        ) as why:
            keys_of_text(bad)
        assert bad not in str(why.value) or bad == PREFIX
    if swapped != text:
        with pytest.raises(SettingsError, match="checksum"):
            keys_of_text(swapped)


@pytest.mark.parametrize("text", ["", "tfm_7mZ2cVtq0Yx1bJ9hRk3dPs5uLw8nAeGfTyQiMo4xVzE", "tfk9_abc"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"must begin with tfk1_.*join-command") as why:
        keys_of_text(text)
    assert not text or text not in str(why.value)


def test_keys_are_shown_without_their_secret(keys: ClientKeys) -> None:
    assert keys.secret.decode() not in repr(keys)
