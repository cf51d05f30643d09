"""Settings: the file and the types say the same, and every mistake stops the program with its key named."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from conf.settings import DEFAULT_FILE, EXIT_BAD_SETTINGS, ROOT, Settings, SettingsError, load
from tests.waiting import TIMEOUT_S

SECTIONS = {field.name: field.type for field in msgspec.structs.fields(Settings)}


def write(path: Path, text: str) -> Path:
    file = path / "tfmodel.toml"
    file.write_text(text)
    return file


def error_of(environ: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, file)
    return str(caught.value)


def test_every_key_of_the_file_is_known_and_every_known_key_is_in_the_file() -> None:
    in_file = {name: set(section) for name, section in tomllib.loads(DEFAULT_FILE.read_text()).items()}
    in_code = {name: {f.name for f in msgspec.structs.fields(section)} for name, section in SECTIONS.items()}
    assert in_file == in_code


def test_every_key_of_the_file_has_its_line_of_words() -> None:
    for line in DEFAULT_FILE.read_text().splitlines():
        if re.match(r"\w+ =", line):
            assert re.search(r"# .{8,}", line), line


def test_the_defaults_are_valid_and_local() -> None:
    settings = load({})
    assert (settings.web.host, settings.web.port, settings.broker.host) == ("127.0.0.1", 2333, "")


def test_a_file_needs_to_name_only_what_it_changes(tmp_path: Path) -> None:
    settings = load({}, write(tmp_path, "[web]\nport = 8080\n"))
    assert (settings.web.port, settings.web.host) == (8080, "127.0.0.1")
    assert settings.broker == load({}).broker


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "[web]\nport = 8080\n")
    environ = {
        "TFMODEL_SETTINGS": str(file),
        "TFMODEL_WEB_PORT": "9090",
        "TFMODEL_WEB_DATA_ROOTS": "/a, /b",
        "TFMODEL_WORKER_KEEP_SPARE": "false",
        "TFMODEL_BROKER_LEASE_TTL_S": "7.5",
        "HOME": "/home/anna",
    }
    settings = load(environ)
    assert (settings.web.port, settings.web.data_roots) == (9090, ["/a", "/b"])
    assert (settings.worker.keep_spare, settings.broker.lease_ttl_s) == (False, 7.5)


def test_relative_paths_start_beside_the_code() -> None:
    settings = load({})
    assert settings.web.allowed_roots() == [(ROOT / "projects").resolve()]
    assert Path(settings.broker.journal) == ROOT / "var" / "journal.sqlite3"


def test_an_unknown_section_key_or_variable_is_named_with_what_there_is(tmp_path: Path) -> None:
    error = error_of({}, write(tmp_path, "[wbe]\nport = 1\n"))
    assert "[wbe]" in error
    assert "broker, cluster, log, service, storage, web, webhooks, worker" in error
    error = error_of({}, write(tmp_path, "[web]\nprot = 1\n"))
    assert "'prot'" in error
    assert "port" in error
    assert "TFMODEL_WEB_PROT" in error_of({"TFMODEL_WEB_PROT": "1"})
    assert "TFMODEL_PORT" in error_of({"TFMODEL_PORT": "1"})


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("log", 'format = "xml"'),
        ("web", "port = 0"),
        ("web", "port = 65536"),
        ("web", "port = true"),
        ("web", 'port = "many"'),
        ("web", 'allowed_hosts = ["tfmodel:2333"]'),
        ("web", 'allowed_hosts = ["*"]'),
        ("web", 'allowed_origins = ["*"]'),
        ("web", 'allowed_origins = ["null"]'),
        ("web", 'allowed_origins = ["https://app.example.com/"]'),
        ("web", 'allowed_origins = ["https://app.example.com:443"]'),
        ("web", 'allowed_origins = ["https://App.example.com"]'),
        ("web", 'allowed_origins = ["app.example.com"]'),
        ("web", "idle_timeout_s = 0"),
        ("web", "data_roots = []"),
        ("web", "request_timeout_s = -1.0"),
        ("web", "request_timeout_s = nan"),
        ("broker", "keep_days = 0"),
        ("broker", "keep_days = nan"),
        ("broker", "max_attempts = 0"),
        ("broker", 'journal = ""'),
        ("worker", 'broker = "192.0.2.1:2335"'),
        ("worker", "tasks_per_process = 1.5"),
        ("worker", 'keep_spare = "perhaps"'),
    ],
)
def test_a_bad_value_names_its_section_and_key(tmp_path: Path, section: str, line: str) -> None:
    key = line.split(" ")[0]
    assert error_of({}, write(tmp_path, f"[{section}]\n{line}\n")).startswith(f"[{section}] {key} = ")


def test_callers_names_and_origins_are_written_as_they_come() -> None:
    environ = {
        "TFMODEL_WEB_ALLOWED_HOSTS": "tfmodel.example.com, 192.0.2.7, [2001:db8::7], a",
        "TFMODEL_WEB_ALLOWED_ORIGINS": "https://app.example.com, http://localhost:3000, https://[2001:db8::7]:8443",
    }
    web = load(environ).web
    assert (len(web.allowed_hosts), len(web.allowed_origins)) == (4, 3)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "nowhere.toml" in error_of({"TFMODEL_SETTINGS": str(tmp_path / "nowhere.toml")})
    assert "tfmodel.toml" in error_of({}, write(tmp_path, "[web\n"))
    assert "[port]" in error_of({}, write(tmp_path, "port = 3\n"))


def test_ports_that_nobody_listens_at_may_be_any() -> None:
    assert load({"TFMODEL_BROKER_WEB_PORT": "2333"}).broker.host == ""


def test_anonymous_access_to_the_broker_is_no_setting() -> None:
    assert "TFMODEL_BROKER_ALLOW_ANONYMOUS" in error_of({"TFMODEL_BROKER_ALLOW_ANONYMOUS": "true"})
    assert "curve_dir" in error_of({"TFMODEL_BROKER_HOST": "127.0.0.1", "TFMODEL_BROKER_CURVE_DIR": ""})


def test_two_sockets_on_one_port_are_both_named() -> None:
    error = error_of({"TFMODEL_BROKER_HOST": "127.0.0.1", "TFMODEL_BROKER_WEB_PORT": "2333"})
    assert "web.port" in error
    assert "broker.web_port" in error


def test_a_lease_must_outlive_a_lost_heartbeat() -> None:
    assert "heartbeat_interval_s" in error_of({"TFMODEL_BROKER_LEASE_TTL_S": "3"})


@pytest.mark.parametrize("program", [["-m", "broker"], ["-m", "trainer_worker"], ["server.py", "run"]])
def test_every_program_stops_with_code_78_and_names_the_key(program: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env={**os.environ, "TFMODEL_WEB_PORT": "many"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == EXIT_BAD_SETTINGS == 78
    assert "[web] port = 'many'" in done.stderr
    assert "Traceback" not in done.stderr


def test_relative_paths_start_at_the_state_folder(tmp_path: Path) -> None:
    file = write(tmp_path, f'[service]\nstate_dir = "{tmp_path}/state"\n[web]\ndata_roots = ["photos", "/srv/more"]\n')
    settings = load({}, file)
    assert (settings.home, settings.run_dir) == (tmp_path / "state", tmp_path / "state" / "run")
    assert Path(settings.broker.journal) == tmp_path / "state" / "var" / "journal.sqlite3"
    assert settings.worker.cache_path == tmp_path / "state" / "var" / "cache"
    assert settings.web.allowed_roots() == [tmp_path / "state" / "photos", Path("/srv/more")]


def test_tfmodel_home_overrides_the_state_folder_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[service]\nstate_dir = "/var/lib/elsewhere"\n')
    assert load({"TFMODEL_HOME": str(tmp_path / "home")}, file).home == tmp_path / "home"
    assert load({"TFMODEL_HOME": "state"}, file).home == ROOT / "state"


def test_a_worker_accepts_the_front_ends_roots_unless_it_has_its_own(tmp_path: Path) -> None:
    assert load({"TFMODEL_WEB_DATA_ROOTS": "/a,/b"}).worker_folders == [Path("/a"), Path("/b")]
    own = {"TFMODEL_WEB_DATA_ROOTS": "/a", "TFMODEL_WORKER_DATA_ROOTS": "/c"}
    assert load(own).worker_folders == [Path("/c")]


def test_data_roots_may_be_folders_and_urls() -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    settings = load({"TFMODEL_WEB_DATA_ROOTS": "/a,s3://photos/users/", "TFMODEL_HOME": "/srv/tfmodel"})
    assert list(map(str, settings.web.roots())) == ["/a", "s3://photos/users"]
    assert settings.web.allowed_roots() == settings.worker_folders == [Path("/a")]
    assert settings.worker_roots == settings.web.roots()


@pytest.mark.parametrize(
    "url", ["s3://", "s3://ab", "s3://key:secret@photos", "s3://photos/../x", "s3://photos/a?b", "S3://photos"]
)
@pytest.mark.parametrize("section", ["WEB", "WORKER"])
def test_a_bad_url_of_a_data_root_is_named_without_a_secret(url: str, section: str) -> None:
    error = error_of({f"TFMODEL_{section}_DATA_ROOTS": f"/a,{url}"})
    assert f"[{section.lower()}] data_roots" in error
    assert "secret" not in error


def test_object_storage_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = error_of({"TFMODEL_WEB_DATA_ROOTS": "s3://photos/users"})
    assert "s3://photos/users" in error
    assert "pip install -r requirements-cluster.txt" in error


def test_a_state_folder_that_is_no_text_is_named(tmp_path: Path) -> None:
    assert "state_dir" in error_of({}, write(tmp_path, "[service]\nstate_dir = 5\n"))
