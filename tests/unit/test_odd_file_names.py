"""Names of photos and folders that are not UTF-8, or hold line breaks: they must not cost the model or the reason."""

from __future__ import annotations

import json
import os

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol import wire
from protocol.errors import TrainingError
from protocol.text import as_utf8
from tests.sample_tasks import hex_id
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_files import label_lines
from trainer_worker.training.child import explain

LATIN_1 = os.fsdecode(b"caf\xe9.jpg")


def test_every_text_becomes_one_that_utf8_can_hold() -> None:
    assert as_utf8("Müller 日本 🙂") == "Müller 日本 🙂"
    assert as_utf8(LATIN_1) == "caf?.jpg"
    assert as_utf8("\ud800") == "?"


def test_a_failure_that_names_such_a_file_reaches_the_agent() -> None:
    failure = explain(TrainingError("no_images", f"No image can be read: {LATIN_1}."))
    result = piped.Ended(m.Result(hex_id(), 1, failure=failure), 100.0)
    sent = wire.unpack(wire.pack(result), piped.TrainerToAgent)
    assert sent.result.failure.error == "No image can be read: caf?.jpg."


def test_metrics_that_name_such_a_file_are_written() -> None:
    text = json_text({"skipped": [LATIN_1], "labels": ["Müller"]}).encode("utf-8").decode("utf-8")
    assert json.loads(text) == {"skipped": ["caf?.jpg"], "labels": ["Müller"]}


def test_each_label_has_one_line() -> None:
    text = label_lines(["one\ntwo", os.fsdecode(b"zwei\xff"), "drei"])
    assert text.encode("utf-8") == b"one two\nzwei?\ndrei\n"
