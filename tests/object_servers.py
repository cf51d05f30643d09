"""Servers of object storage on loopback, for tests: moto in this process, and rclone as a process of its own.

moto takes every credential; rclone takes only its own. rclone does not honour conditional puts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conf.settings import load
from conf.storage_settings import StorageSettings
from protocol.project_url import ProjectUrl
from storage.object_store import ObjectStore, open_store
from tests.free_ports import free_ports
from tests.waiting import wait_until

KEY, SECRET = "AKIATESTS", "a-secret-of-the-tests"
#: The environment of a process that reaches a server of the tests.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
BUCKET = "photos"


@dataclass(frozen=True)
class ObjectServer:
    """A running server with one empty bucket. endpoint: its address."""

    endpoint: str

    def settings(self, **changes: Any) -> StorageSettings:
        given = {"endpoint": self.endpoint, "allow_http": True, "timeout_s": 5.0, **changes}
        return msgspec.structs.replace(load({}).storage, **given)

    def store(self, prefix: str = "", **changes: Any) -> ObjectStore:
        return open_store(ProjectUrl("s3", BUCKET, prefix), self.settings(**changes))

    def fill(self, prefix: str, files: dict[str, bytes]) -> None:
        """Put objects there as they are named, even if our own client refuses such names."""
        client = plain_client(self.endpoint)
        for name, content in files.items():
            client.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)

    def names(self, prefix: str = "") -> list[str]:
        """All keys that begin with the prefix, as the server has them."""
        client = plain_client(self.endpoint)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", []))

    def check_credentials(self, wanted: bool) -> None:
        """Whether moto compares signatures from now on. It knows no key, so every call is refused then."""
        count = b"0" if wanted else b"inf"
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()

    def read(self, key: str) -> bytes:
        content: bytes = plain_client(self.endpoint).get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content


def plain_client(endpoint: str) -> Any:
    """A client of another make, which looks at the bucket without our code."""
    boto3 = pytest.importorskip("boto3", reason="moto is not installed; pip install -r requirements-cluster-dev.txt")
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET
    )


def are_installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)


def refuse_missing_packages() -> None:
    """Skip the test if the optional packages are not installed."""
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    pytest.importorskip("moto", reason="moto is not installed; pip install -r requirements-cluster-dev.txt")


@contextlib.contextmanager
def moto() -> Iterator[ObjectServer]:
    """moto's server in a thread of this process, with one empty bucket.

    All such servers of a process share their state, so what an earlier test has left is removed here.
    """
    refuse_missing_packages()
    from moto.server import ThreadedMotoServer

    for noisy in ("werkzeug", "botocore", "urllib3", "boto3", "moto"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):
        server.start()
    try:
        host, port = server.get_host_and_port()
        started = ObjectServer(f"http://{host}:{port}")
        urllib.request.urlopen(urllib.request.Request(f"{started.endpoint}/moto-api/reset", method="POST")).close()
        plain_client(started.endpoint).create_bucket(Bucket=BUCKET)
        yield started
    finally:
        server.stop()


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[ObjectServer]:
    """`rclone serve s3` on a folder. Skips the test if rclone is not installed, or is older than 1.65."""
    refuse_missing_packages()
    beside_python = str(Path(sys.executable).parent)
    program = shutil.which("rclone", path=os.pathsep.join([beside_python, os.environ.get("PATH", "")]))
    if program is None or b"s3" not in subprocess.run([program, "serve", "--help"], capture_output=True).stdout:
        pytest.skip("There is no rclone that serves S3; pip install -r requirements-cluster-dev.txt")
    (folder / BUCKET).mkdir(parents=True)
    port = free_ports(1)[0]
    address = f"127.0.0.1:{port}"
    command = [program, "serve", "s3", str(folder), "--addr", address, "--auth-key", f"{KEY},{SECRET}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started = ObjectServer(f"http://{address}")
        wait_until(lambda: _answers(port), "rclone to answer")
        yield started
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
