"""The systemd unit, the Containerfile and compose.yaml, held to the settings, the commands and each other."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conf.settings import ROOT, Settings, load
from tests.waiting import TIMEOUT_S

UNIT = ROOT / "conf" / "tfmodel.service"
CONTAINERFILE = ROOT / "Containerfile"
COMPOSE = ROOT / "compose.yaml"
#: What the service is made of.
PARTS = (
    *("protocol", "conf", "storage", "broker", "trainer_worker", "web", "service"),
    *("clients", "server.py", "supervisord.conf"),
)
FOREGROUND = ["server.py", "start", "--foreground"]
PORT = load({}).web.port


# ---- systemd ----


class Repeating(dict[str, Any]):
    """Sections of a unit may name a key several times: the values are joined by line breaks."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self and isinstance(value, list):
            value = [*self[key], *value]
        super().__setitem__(key, value)


@pytest.fixture
def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(dict_type=Repeating, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser


def unit_settings(unit: configparser.RawConfigParser) -> Settings:
    variables = dict(line.split("=", 1) for line in unit["Service"]["Environment"].splitlines())
    return load({name: value for name, value in variables.items() if name.startswith("TFMODEL_")})


def test_the_unit_starts_what_there_is_in_the_folder_that_it_names(unit: configparser.RawConfigParser) -> None:
    python, server, *words = shlex.split(unit["Service"]["ExecStart"])
    code = Path(unit["Service"]["WorkingDirectory"])
    assert Path(server).parent == code
    assert Path(python).is_relative_to(code)
    assert [Path(server).name, *words] == FOREGROUND
    page = unit["Unit"]["Documentation"].removeprefix(f"file://{code}/")
    assert (ROOT / page).is_file()


def test_the_unit_lets_the_service_write_its_state_and_nothing_else(unit: configparser.RawConfigParser) -> None:
    service = unit["Service"]
    assert unit_settings(unit).home == Path("/var/lib") / service["StateDirectory"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == service["ProtectHome"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] not in ("", "root", "0")
    assert set(service["RestrictAddressFamilies"].split()) == {
        *("AF_UNIX", "AF_INET", "AF_INET6"),
        "AF_NETLINK",
    }


def test_the_unit_gives_the_programs_the_time_that_they_have_to_stop(unit: configparser.RawConfigParser) -> None:
    conf = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    conf.read(ROOT / "supervisord.conf")
    waits_s = [int(conf[name]["stopwaitsecs"]) for name in conf.sections() if name.startswith("program:")]
    # supervisord stops one priority after the other.
    assert int(unit["Service"]["TimeoutStopSec"]) > sum(waits_s)
    assert unit["Service"]["KillMode"] == "mixed"
    assert unit["Service"]["OOMPolicy"] == "continue"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian's package systemd has it)")
    # It looks for the program, which is not installed on this machine.
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={Path(sys.executable).resolve()}", UNIT.read_text())
    (tmp_path / UNIT.name).write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (complaints, done.returncode) == ([], 0), done.stderr


# ---- container ----


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions: (word in capitals, the rest on one line)."""
    lines = [line for line in CONTAINERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def values(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def image_settings() -> Settings:
    given = dict(part.split("=", 1) for rest in values("ENV") for part in shlex.split(rest))
    named = {name: value for name, value in given.items() if name.startswith("TFMODEL_")}
    # Stands for the token that the operator makes before the first start.
    return load({**named, "TFMODEL_WEB_ALLOW_ANONYMOUS": "true"})


def test_the_image_is_of_a_python_that_the_code_runs_with() -> None:
    bases = {rest.split()[0] for rest in values("FROM")}
    assert len(bases) == 1
    version = re.search(r"python:3\.(\d+)-slim$", bases.pop())
    assert version is not None
    assert 11 <= int(version[1]) <= 13


def test_the_image_runs_without_root_and_writes_to_its_volumes_only() -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", values("USER")[-1])
    settings = image_settings()
    volumes = set(json.loads(values("VOLUME")[-1]))
    assert volumes == {str(settings.home), *map(str, settings.web.allowed_roots())}
    assert not [volume for volume in volumes if Path(volume).is_relative_to(values("WORKDIR")[-1])]


def test_the_image_serves_the_port_of_the_settings_and_is_asked_for_its_readiness() -> None:
    assert values("EXPOSE") == [str(PORT)]
    assert image_settings().web.port == PORT
    assert f"http://127.0.0.1:{PORT}/readyz" in values("HEALTHCHECK")[-1]
    assert json.loads(values("CMD")[-1]) == ["python", *FOREGROUND]
    assert values("ENTRYPOINT") == [], "compose.yaml and the documents run other commands in the image"


def test_the_image_holds_the_whole_service_and_nothing_of_a_working_copy(tmp_path: Path) -> None:
    image = Path(values("WORKDIR")[-1])
    copied = [shlex.split(rest) for rest in values("COPY") if str(image) in rest]
    for *sources, target in copied:
        inside = tmp_path / Path(target).relative_to(image)
        for pattern in sources:
            for source in ROOT.glob(pattern):
                if source.is_dir():
                    shutil.copytree(source, inside, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    inside.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, inside)
    assert {path.name for path in tmp_path.iterdir()} == {*PARTS, "LICENSE", "NOTICE", "docs"}
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["errors.md"], "the front-end shows this page"
    assert {path.name for path in (tmp_path / "conf").iterdir()} == {
        "tfmodel.toml",
        *(path.name for path in (ROOT / "conf").glob("*.py")),
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    requirements = {"requirements.txt", "requirements-traces.txt", "requirements-cluster.txt"}
    assert allowed == {*PARTS, *requirements, "LICENSE", "NOTICE", "docs/errors.md"}
    for words in (["server.py"], ["-m", "broker"], ["-m", "trainer_worker"]):
        done = subprocess.run(
            [sys.executable, *words, "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr


# ---- compose ----


@pytest.fixture
def compose() -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is missing (requirements-dev.txt has it)")
    return yaml.safe_load(COMPOSE.read_text())["services"]["tfmodel"]


def test_compose_publishes_to_this_machine_only(compose: Any) -> None:
    assert compose["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]


def test_compose_gives_a_place_to_all_that_the_image_writes(compose: Any) -> None:
    targets = {volume.split(":")[1] for volume in compose["volumes"]}
    assert targets == set(json.loads(values("VOLUME")[-1]))
    assert compose["read_only"] is True
    assert compose["tmpfs"] == ["/tmp"]


def test_compose_takes_all_rights_away(compose: Any) -> None:
    assert compose["cap_drop"] == ["ALL"]
    assert compose["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in compose, "the image's own user owns the volumes"
    assert "privileged" not in compose


def test_compose_builds_the_image_and_asks_it_for_its_readiness(compose: Any) -> None:
    assert (ROOT / compose["build"]["dockerfile"]) == CONTAINERFILE
    assert "command" not in compose
    assert compose["healthcheck"]["test"][1:] == json.loads(values("HEALTHCHECK")[-1].partition("CMD ")[2])
    image = dict(re.findall(r"--([a-z-]+)=(\S+)", values("HEALTHCHECK")[-1]))
    for key in ("interval", "timeout", "start_period", "retries"):
        assert str(compose["healthcheck"][key]) == image[key.replace("_", "-")], key
    assert compose["stop_grace_period"] == "60s"
