"""The checker and the process that promotes a model, with projects in object storage."""

from __future__ import annotations

import io
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pytest
from PIL import Image

from conf.settings import ROOT as CODE
from protocol.data_report import DataReport
from protocol.folder_check import CheckOrder
from protocol.promotion import Promotion, PromotionOrder
from tests.fault_proxy import FaultProxy
from tests.object_projects import ObjectWorker, publish, spec_of
from tests.object_servers import BUCKET, ObjectServer
from tests.sample_tasks import hex_id
from trainer_worker.project.models import manifest_of

pytestmark = pytest.mark.usefixtures("storage_credentials")


Answer = TypeVar("Answer", bound=msgspec.Struct)
ROOTS = (f"s3://{BUCKET}",)


def ask(module: str, order: msgspec.Struct, answer: type[Answer]) -> Answer:
    process = subprocess.run(
        [sys.executable, "-m", f"trainer_worker.{module}"],
        input=msgspec.json.encode(order),
        capture_output=True,
        cwd=CODE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    return msgspec.json.decode(process.stdout, type=answer)


def picture(size: tuple[int, int], padding: int = 0) -> bytes:
    """A JPEG of noise. padding: bytes that stand before its size, as some cameras and programs write them."""
    pixels = np.random.default_rng(padding).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "JPEG", quality=95)
    content = made.getvalue()
    segments = b"".join(b"\xff\xed" + (60_002).to_bytes(2) + bytes(60_000) for _ in range(padding // 60_000))
    return content[:2] + segments + content[2:]


def test_a_check_reads_headers_and_no_whole_pictures(object_server: ObjectServer, object_proxy: FaultProxy) -> None:
    prefix = f"check/{secrets.token_hex(4)}"
    photos = {f"{label}/{n}.jpg": picture((700, 500)) for label in ("rose", "tulip") for n in range(20)}
    photos["rose/0.jpg"] = picture((700, 500), padding=180_000)
    photos["tulip/bad.jpg"] = b"no picture at all"
    object_server.fill(prefix, photos)
    storage = msgspec.to_builtins(ObjectServer(object_proxy.endpoint).settings())
    order = CheckOrder(spec_of(prefix), ROOTS, time.monotonic(), storage)
    report = ask("checking", order, DataReport)
    assert (report.layout, report.pictures) == ("class_folders", 40)
    assert dict(report.counts) == {"rose": 20, "tulip": 20}
    assert report.skipped == 1, report
    assert object_proxy.sent_bytes < 0.5 * sum(map(len, photos.values()))


def test_a_check_says_what_is_wrong_with_the_place(object_server: ObjectServer) -> None:
    storage = msgspec.to_builtins(object_server.settings())
    for path in ("none/at/all", "a/models/b"):
        report = ask("checking", CheckOrder(spec_of(path), ROOTS, time.monotonic(), storage), DataReport)
        assert report.findings[0].severity == "error"


def test_an_earlier_model_is_made_the_latest(object_server: ObjectServer, tmp_path: Path) -> None:
    prefix = f"promote/{secrets.token_hex(4)}"
    object_server.fill(prefix, {"a/1.jpg": b"1"})
    worker = ObjectWorker(object_server, tmp_path)
    for task in ("t1", "t2"):
        with worker.project(prefix, task) as project:
            publish(project, task)
            manifest = manifest_of(project, hex_id("t1"))
    assert manifest is not None
    storage = msgspec.to_builtins(object_server.settings())
    order = PromotionOrder(spec_of(prefix, "t1"), manifest.artifacts, ROOTS, storage)
    assert ask("promoting", order, Promotion) == Promotion()
    assert hex_id("t1").encode() in object_server.read(f"{prefix}/models/latest")
    assert hex_id("t1").encode() in object_server.read(f"{prefix}/models/.chosen-classification")
    model = next(
        name for name in object_server.names(f"{prefix}/models/{hex_id('t1')}/") if name.endswith("model.tflite")
    )
    object_server.store().put(model, b"changed")
    assert ask("promoting", order, Promotion).code == "model_changed"
