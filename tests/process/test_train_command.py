"""`python server.py train` with a real training, and what the other commands say of the model that comes of it."""

from __future__ import annotations

import json
from pathlib import Path

from service.exit_codes import ExitCode
from tests.process.service_under_test import ServiceUnderTest
from tests.process.small_projects import SIDE_PX, digit_pictures

OPTIONS = (f"imageSize={SIDE_PX}", "epochs=3", "exports=tflite")


def test_from_a_folder_to_a_model_that_answers(service: ServiceUnderTest, project: Path, tmp_path: Path) -> None:
    options = [word for option in OPTIONS for word in ("--option", option)]
    trained = service.command("train", str(project), "--user", "typist", *options)
    assert trained.returncode == ExitCode.OK, trained.stdout + trained.stderr
    assert "40 pictures, layout class_folders" in trained.stdout
    assert " %  export" in trained.stdout, "each phase is a line"
    facts = {line.split()[0]: line.split(maxsplit=1)[1] for line in trained.stdout.splitlines() if line[:2] == "  "}
    assert "accuracy" in facts["score"]
    assert " to " in facts["score"], "with its interval"
    assert Path(facts["report"]).is_file()
    model = Path(facts["model"])
    assert model.is_file()
    assert f"  file    {model.name}  " in trained.stdout

    (listed,) = json.loads(service.command("tasks", "--user", "typist", "--json").stdout)["tasks"]
    task_id = str(listed["taskId"])
    assert task_id == model.parent.name
    logged = service.command("logs", task_id)
    assert (logged.returncode, bool(logged.stdout.strip())) == (ExitCode.OK, True), logged.stderr
    exported = service.command("export", task_id, "--to", str(tmp_path), "--file", model.name)
    assert exported.stdout.split() == [str(tmp_path / model.name)], exported.stderr
    assert (tmp_path / model.name).read_bytes() == model.read_bytes()

    digit_pictures(1, 1, skip=30)[0].save(tmp_path / "one.png")
    answers = [
        json.loads(service.command("predict", name, str(tmp_path / "one.png"), "--json").stdout)["predictions"]
        for name in (task_id, str(tmp_path / model.name))
    ]
    assert answers[0] == answers[1], "the server and this machine say the same"
    assert answers[0][0]["label"] in ("0", "1")

    looked = service.command("doctor", "--quick")
    assert looked.returncode == ExitCode.OK, looked.stdout
    assert "ok    ready: A task could be trained now" in looked.stdout
