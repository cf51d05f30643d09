"""What the doctor says of data roots in object storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.settings import load
from service.doctor import places, storage
from service.doctor.result import Verdict
from tests.object_servers import BUCKET, CREDENTIALS, SECRET, moto


def test_each_url_is_listed_and_what_is_wrong_is_said_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with moto() as server:
        environ = {
            "TFMODEL_HOME": str(tmp_path),
            "TFMODEL_WEB_DATA_ROOTS": f"s3://{BUCKET}/users,{tmp_path},s3://no-such-bucket",
            "TFMODEL_STORAGE_ENDPOINT": server.endpoint,
            "TFMODEL_STORAGE_ALLOW_HTTP": "true",
        }
        good, missing = storage.look(load(environ))
        assert (good.verdict, good.sentence) == (Verdict.OK, f"s3://{BUCKET}/users can be listed")
        assert (missing.verdict, "no-such-bucket" in missing.sentence) == (Verdict.BAD, True)
        assert "credentials" in missing.cure
        assert SECRET not in missing.sentence
        topics = [result.sentence for result in places.look(load(environ)) if result.topic == "data root"]
        assert topics == [f"{tmp_path} is writable"], "a URL is no folder"
    assert list(storage.look(load({"TFMODEL_HOME": str(tmp_path)}))) == []
