"""The section [storage]: addresses of servers, and what is refused of them."""

from __future__ import annotations

import pytest

from conf.settings import SettingsError, load


@pytest.mark.parametrize(
    "endpoint", ["", "https://minio.example.com", "https://10.0.0.1:9000", "https://[2001:db8::1]:9000"]
)
def test_an_address_of_a_server_is_taken(endpoint: str) -> None:
    assert load({"TFMODEL_STORAGE_ENDPOINT": endpoint}).storage.endpoint == endpoint


# A path or a query would be dropped, credentials would stand in messages, and the client crashes without a scheme.
@pytest.mark.parametrize(
    "endpoint", ["minio:9000", "ftp://minio", "https://key:secret@minio", "https://minio/a", "https://minio?a"]
)
def test_anything_else_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"\[storage\] endpoint"):
        load({"TFMODEL_STORAGE_ENDPOINT": endpoint})


def test_without_encryption_somebody_must_say_so() -> None:
    plain = {"TFMODEL_STORAGE_ENDPOINT": "http://10.0.0.1:9000"}
    with pytest.raises(SettingsError, match=r"set \[storage\] allow_http = true"):
        load(plain)
    assert load({**plain, "TFMODEL_STORAGE_ALLOW_HTTP": "true"}).storage.allow_http
