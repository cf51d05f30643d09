"""Publishing into object storage: whole or not at all, once, and never over what another attempt has published."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.settings import ROOT
from protocol.errors import TrainingError
from storage.model_places import find_file_of_model
from tests.fault_proxy import Fault, FaultProxy
from tests.object_projects import ObjectWorker, Watching, publish, spec_of
from tests.object_servers import ObjectServer
from tests.sample_tasks import hex_id
from tests.waiting import wait_until
from trainer_worker.checkouts.object_origin import ObjectOrigin
from trainer_worker.project.gate import Gate
from trainer_worker.project.latest import choose, finish_publication, latest_task
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import AlreadyPublishedError, finished_model, model_path
from trainer_worker.project.retention import tidy_project

pytestmark = pytest.mark.usefixtures("storage_credentials", "quick_retries")


T1 = hex_id("t1")


@pytest.fixture
def prefix(object_server: ObjectServer) -> str:
    made = f"users/{secrets.token_hex(6)}"
    object_server.fill(made, {"cats/1.jpg": b"1"})
    return made


Make = Callable[[str], ObjectWorker]


@pytest.fixture
def make(object_server: ObjectServer, tmp_path: Path) -> Make:
    """Makes a worker with a cache of its own."""
    return lambda name: ObjectWorker(object_server, tmp_path / name)


def published(object_server: ObjectServer, prefix: str, task: str = "t1") -> str:
    """The content of the model that a reader finds who goes by the manifest."""
    store = object_server.store(prefix)
    return store.get(find_file_of_model(store, f"models/{hex_id(task)}", "model.tflite")).decode()


def folders(object_server: ObjectServer, prefix: str, task: str = "t1") -> set[str]:
    """The folders of publications that lie in the model's folder."""
    start = f"{prefix}/models/{hex_id(task)}/"
    return {name.removeprefix(start).split("/")[0] for name in object_server.names(start)} - {"manifest.json"}


def latest(object_server: ObjectServer, prefix: str) -> str:
    return str(json.loads(object_server.read(f"{prefix}/models/latest"))["task_id"])


@pytest.mark.door(33)
def test_a_late_attempt_cannot_overwrite_the_winner(object_server: ObjectServer, make: Make, prefix: str) -> None:
    with make("zombie").project(prefix) as zombie:
        with make("winner").project(prefix) as winner:
            publish(winner, "t1", attempt=2)
        with pytest.raises(AlreadyPublishedError) as refused:
            publish(zombie, "t1", attempt=1)
        assert refused.value.manifest.artifacts
        assert model_path(zombie, refused.value.manifest).endswith("/model.tflite")
    assert published(object_server, prefix) == "weights of t1, attempt 2"
    assert len(folders(object_server, prefix)) == 1, "the late attempt left files behind"


@pytest.mark.door(33)
def test_of_two_publishers_at_once_one_wins(
    object_server: ObjectServer, make: Make, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have sent all files, and then both put the manifest."""
    at_once = threading.Barrier(2)
    commit = ObjectOrigin.commit

    def together(self: ObjectOrigin, task_id: str, manifest: bytes) -> bool:
        at_once.wait()
        return commit(self, task_id, manifest)

    monkeypatch.setattr(ObjectOrigin, "commit", together)
    ends: dict[int, str] = {}

    def attempt(number: int) -> None:
        with make(f"worker {number}").project(prefix) as project:
            try:
                publish(project, "t1", attempt=number)
                ends[number] = "published"
            except AlreadyPublishedError as error:
                ends[number] = f"lost to {error.manifest.content['attempt']}"

    threads = [threading.Thread(target=attempt, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = next(number for number, end in ends.items() if end == "published")
    assert ends[3 - winner] == f"lost to {winner}"
    assert published(object_server, prefix) == f"weights of t1, attempt {winner}"
    assert len(folders(object_server, prefix)) == 1
    assert latest(object_server, prefix) == T1


def test_what_others_published_is_looked_at_while_a_model_is_written(
    object_server: ObjectServer, make: Make, prefix: str
) -> None:
    """The gate compares with the model in use when the files of the new one are about to be written."""
    object_server.fill(prefix, {"models/cats/1.jpg": b"a class may be called so"})
    with make("one").project(prefix, "t1") as one:
        with ModelFolder(one, T1, 1) as folder:
            with make("two").project(prefix, "t2") as two:
                publish(two, "t2", metrics={"accuracy": 0.5})
            compared = Gate(one, "classification").compare(None)
            assert compared is not None
            assert compared.with_task == hex_id("t2")
            folder.add("model.tflite", io.BytesIO(b"weights"))
            folder.publish({"model_file": "model.tflite"})
        assert (one.path / "models" / "cats" / "1.jpg").exists()
    assert published(object_server, prefix) == "weights"


def test_an_interim_model_is_replaced_and_a_finished_one_is_not(
    object_server: ObjectServer, make: Make, prefix: str
) -> None:
    with make("one").project(prefix) as project:
        publish(project, "t1", interim=True, content="a first model")
        assert published(object_server, prefix) == "a first model"
        publish(project, "t1", content="the final model")
        assert published(object_server, prefix) == "the final model"
        assert len(folders(object_server, prefix)) == 1
    with make("other").project(prefix) as project, pytest.raises(AlreadyPublishedError):
        publish(project, "t1", attempt=2, interim=True)


def test_nothing_is_visible_before_the_manifest(
    object_server: ObjectServer, object_proxy: FaultProxy, prefix: str, tmp_path: Path
) -> None:
    behind = ObjectWorker(ObjectServer(object_proxy.endpoint), tmp_path / "cache")
    object_proxy.first(100, Fault(status=503), "PUT", "manifest.json")
    with behind.project(prefix) as project, pytest.raises(TrainingError, match="the server answered 503") as failed:
        publish(project, "t1")
    assert failed.value.code == "storage_unreachable"
    assert folders(object_server, prefix), "the files were sent"
    assert not [name for name in object_server.names(f"{prefix}/models/") if name.endswith(("manifest.json", "latest"))]
    with behind.project(prefix) as project:
        assert finished_model(project, T1) is None
        object_proxy.plan = lambda method, path: None
        publish(project, "t1", attempt=2)
    assert published(object_server, prefix) == "weights of t1, attempt 2"
    assert len(folders(object_server, prefix)) == 1


@pytest.mark.parametrize("part", ["manifest.json", "models/latest"])
def test_a_put_whose_answer_is_lost_counts_once(
    object_server: ObjectServer, object_proxy: FaultProxy, prefix: str, tmp_path: Path, part: str
) -> None:
    """The client tries again, and the condition does not hold any more, because it was this put that changed it."""
    worker = ObjectWorker(ObjectServer(object_proxy.endpoint), tmp_path / "cache")
    object_proxy.first(1, Fault(lost_answer=True), "PUT", part)
    with worker.project(prefix) as project:
        publish(project, "t1")
    assert published(object_server, prefix) == "weights of t1, attempt 1"
    assert latest(object_server, prefix) == T1


def test_latest_never_goes_back_unless_a_person_says_so(object_server: ObjectServer, make: Make, prefix: str) -> None:
    with make("one").project(prefix, "t1") as one:
        publish(one, "t1")
        with make("two").project(prefix, "t2") as two:
            wait_until(lambda: _published_later(object_server, prefix, two), "a later second")
        manifest = finished_model(one, T1)
        assert manifest is not None
        finish_publication(one, manifest)
        assert latest(object_server, prefix) != T1
        one.origin.refresh_models(lambda: None)
        with one.models() as models:
            choose(one, models, manifest)
    assert latest(object_server, prefix) == T1
    with make("three").project(prefix, "t3") as three, three.models() as models:
        assert latest_task(models) == T1
        assert models.link_target(".chosen-classification") == T1


def _published_later(object_server: ObjectServer, prefix: str, project: object) -> bool:
    """Publish another task's model until it is later than that of t1. The server's times are whole seconds."""
    from trainer_worker.project.folder import ProjectFolder

    assert isinstance(project, ProjectFolder)
    number = len(object_server.names(f"{prefix}/models/"))
    publish(project, f"later {number}")
    times = {info.name: info.modified_at_s for info in object_server.store(prefix).list("models")}
    return times[f"models/{hex_id(f'later {number}')}/manifest.json"] > times[f"models/{T1}/manifest.json"]


def test_what_a_cancelled_task_published_is_removed(object_server: ObjectServer, make: Make, prefix: str) -> None:
    worker = make("one")
    with worker.project(prefix, "t0") as project:
        publish(project, "t0")
    with worker.project(prefix, "t1") as project:
        publish(project, "t1")
    assert latest(object_server, prefix) == T1
    worker.folders.discard(spec_of(prefix, "t1"))
    assert not folders(object_server, prefix)
    assert latest(object_server, prefix) == hex_id("t0")
    worker.folders.discard(spec_of(prefix, "t0"))
    assert not object_server.names(f"{prefix}/models/")


def test_old_models_are_removed_but_not_the_one_in_use(object_server: ObjectServer, make: Make, prefix: str) -> None:
    worker = make("one")
    for task in ("t0", "t1", "t2"):
        with worker.project(prefix, task) as project:
            publish(project, task, promoted=task == "t0")
            tidy_project(project, keep_models=1)
    left = {name.split("/")[-2] for name in object_server.names(f"{prefix}/models/") if name.endswith("manifest.json")}
    assert hex_id("t0") in left, "latest names it"
    assert T1 not in left


def test_a_project_that_cannot_be_tidied_costs_no_task(
    object_server: ObjectServer, object_proxy: FaultProxy, prefix: str, tmp_path: Path
) -> None:
    worker = ObjectWorker(ObjectServer(object_proxy.endpoint), tmp_path / "cache")
    with worker.project(prefix) as project:
        publish(project, "t1")
        object_proxy.plan = lambda method, path: Fault(status=503)
        tidy_project(project, keep_models=1)
        object_proxy.plan = lambda method, path: None
    assert published(object_server, prefix)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.object_projects import ObjectWorker, publish
from tests.object_servers import ObjectServer
from trainer_worker.checkouts.stored_models import StoredModels

endpoint, cache_dir, prefix, when = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if when == "before the manifest":
    StoredModels.put_manifest = die
elif when == "before latest":
    StoredModels.point = die
with ObjectWorker(ObjectServer(endpoint), Path(cache_dir)).project(prefix) as project:
    publish(project, "t1", attempt=1)
"""


@pytest.mark.parametrize("when", ["before the manifest", "before latest"])
def test_the_next_attempt_finishes_what_a_killed_one_began(
    object_server: ObjectServer, make: Make, prefix: str, tmp_path: Path, when: str
) -> None:
    command = [sys.executable, "-c", KILLED, object_server.endpoint, str(tmp_path / "killed"), prefix, when]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}"}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert folders(object_server, prefix)
    assert f"{prefix}/models/latest" not in object_server.names(prefix)
    with make("next").project(prefix, watcher=Watching()) as project:
        manifest = finished_model(project, T1)
        if when == "before the manifest":
            assert manifest is None
            publish(project, "t1", attempt=2)
        else:
            assert manifest is not None
            assert manifest.content["attempt"] == 1
            finish_publication(project, manifest)
    assert latest(object_server, prefix) == T1
    assert published(object_server, prefix).endswith("attempt 2" if when == "before the manifest" else "attempt 1")
    assert len(folders(object_server, prefix)) == 1
