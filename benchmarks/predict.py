"""How many pictures a second the predict call answers, compared with LiteRT alone in a loop.

    python -m benchmarks.predict                  about a minute; also a part of `python -m benchmarks.api`

A real model is trained first (40 digits at 224 px, EfficientNet-Lite0), and its worker is stopped. Then CLIENTS callers
each send one JPEG of 640 x 427 pixels at a time. The baseline is as many processes as the front-end has for predictions
(PROCESSES), each with LiteRT on one thread, on the same picture: once with decoding it each time, as every call must,
and once without. Rounds alternate. Target: 0.8 of the baseline that decodes. The load generator and the front-end use
the same cores as the models.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from PIL import Image
from sklearn.datasets import load_sample_image

from benchmarks.http_load import Measured, loaded
from benchmarks.service_processes import ServiceProcesses
from conf.settings import ROOT
from demo.digits_data import make_digits_project

TARGET = 0.8
CLIENTS = 8
PROCESSES = 2
TRAINED_IMAGES = 40
READY_TIMEOUT_S = 90.0
TRAINED_TIMEOUT_S = 300.0
COLD_STARTS = 5
BOUNDARY = "benchmark"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def predict_part(folder: Path, rounds: int, seconds: float) -> None:
    service = ServiceProcesses(folder, WEB_PREDICT_PROCESSES=str(PROCESSES), WORKER_CACHE_DIR=str(folder / "cache"))
    project = service.projects / "project-1"
    make_digits_project(project, TRAINED_IMAGES)
    picture = folder / "photo.jpg"
    Image.fromarray(load_sample_image("china.jpg")).save(picture, quality=90)
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="photo.jpg"\r\n\r\n'.encode()
        + picture.read_bytes()
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    with service.program("broker", "-m", "broker"):
        with service.program("web", "server.py", "run"):
            task_id, model = train(service, project)
        cold_ms = [cold_start_ms(service, task_id, body) for _ in range(COLD_STARTS)]
        with service.program("web", "server.py", "run"):
            service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
            request = request_text(task_id, body)
            answer_ms(service, task_id, body)
            loaded(service.ports["WEB_PORT"], CLIENTS, seconds, [request])  # until both processes have the model
            ours, decoding, running = [], [], []
            for _ in range(rounds):
                ours.append(served(service.ports["WEB_PORT"], seconds, request))
                decoding.append(bare(model, picture, seconds, "decode"))
                running.append(bare(model, picture, seconds, "run"))
    print_rows({"LiteRT in a loop": running, "LiteRT in a loop, with decoding": decoding, "POST …/predict": ours})
    print(
        f"First answer of a front-end that has just started: {statistics.median(cold_ms):.0f} ms (median of "
        f"{COLD_STARTS}, slowest {max(cold_ms):.0f}). It starts a process and loads the model."
    )


def print_rows(found: dict[str, list[Measured]]) -> None:
    print(f"\n{PROCESSES} processes, {CLIENTS} callers; load {os.getloadavg()[0]:.1f}")
    print(f"{'':<34}{'pictures/s':>12}{'processor ms a picture':>24}")
    for name, rounds in found.items():
        rate, used = (statistics.median(one[key] for one in rounds) for key in ("pictures_per_s", "processor_ms"))
        print(f"{name:<34}{rate:>12.1f}{used:>24.1f}")
    *_, base, ours = found.values()
    ratios = [one["pictures_per_s"] / other["pictures_per_s"] for one, other in zip(ours, base, strict=True)]
    shares = [other["processor_ms"] / one["processor_ms"] for one, other in zip(ours, base, strict=True)]
    p50, p99 = (statistics.median(one[key] for one in ours) for key in ("p50_ms", "p99_ms"))
    print(
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms. Ratio to the loop with decoding: {statistics.median(ratios):.2f} of its "
        f"pictures a second (target {TARGET}; rounds {min(ratios):.2f} to {max(ratios):.2f}), "
        f"{statistics.median(shares):.2f} by processor time, which other programs change less."
    )


def served(port: int, seconds: float, request: str) -> Measured:
    """The front-end and its processes under load. The load generator's own processor time is not counted."""
    before_s = processor_s()
    measured = loaded(port, CLIENTS, seconds, [request])
    used_s, pictures = processor_s() - before_s, measured["requests_per_s"] * seconds
    return {
        **measured,
        "pictures_per_s": measured["requests_per_s"],
        "processor_ms": used_s / pictures * 1000,
    }


def processor_s() -> float:
    """What the front-end and its processes have used so far."""
    (front_end,) = [child for child in psutil.Process().children() if "server.py" in child.cmdline()]
    times = [process.cpu_times() for process in (front_end, *front_end.children())]
    return sum(time.user + time.system for time in times)


def train(service: ServiceProcesses, project: Path) -> tuple[str, Path]:
    """Train a model; returns its task and its file. The worker has ended then."""
    service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
    with service.program("worker", "-m", "trainer_worker", "--name", "benchmark"):
        task_id = service.post(project, imageSize=224, epochs=1, exports="tflite")
        give_up_at_s = time.monotonic() + TRAINED_TIMEOUT_S
        while (task := service.call("GET", f"/?taskId={task_id}")[1])["state"] != "done":
            if task["state"] == "failed" or time.monotonic() > give_up_at_s:
                raise RuntimeError(f"The model was not trained: {task}")
            time.sleep(0.2)
    return task_id, Path(task["modelPath"])


def request_text(task_id: str, body: bytes) -> str:
    head = (
        f"POST /v1/tasks/{task_id}/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head + body.decode("latin-1")


def cold_start_ms(service: ServiceProcesses, task_id: str, body: bytes) -> float:
    with service.program("web", "server.py", "run"):
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        return answer_ms(service, task_id, body)


def answer_ms(service: ServiceProcesses, task_id: str, body: bytes) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", service.ports["WEB_PORT"], timeout=30)
    began_s = time.perf_counter()
    connection.request("POST", f"/v1/tasks/{task_id}/predict", body, {"Content-Type": FORM})
    answer = connection.getresponse()
    text = answer.read()
    took_ms = (time.perf_counter() - began_s) * 1000
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"The prediction was answered with {answer.status}: {text[:500]!r}")
    return took_ms


def bare(model: Path, picture: Path, seconds: float, how: str) -> Measured:
    """PROCESSES loops together, which begin at the same time."""
    command = [sys.executable, "-m", "benchmarks.bare_runtime", str(model), str(picture), str(seconds), how]
    loops = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(PROCESSES)
    ]
    for loop in loops:
        assert loop.stdout is not None
        if loop.stdout.readline() != "ready\n":
            raise RuntimeError("A loop of the baseline did not start.")
    for loop in loops:
        assert loop.stdin is not None
        loop.stdin.write("go\n")
        loop.stdin.flush()
    figures = [[float(word) for word in loop.communicate()[0].split()] for loop in loops]
    return {
        "pictures_per_s": sum(rate for rate, _ in figures),
        "processor_ms": statistics.mean(used_s for _, used_s in figures) * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds for each figure")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        predict_part(Path(folder), arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
