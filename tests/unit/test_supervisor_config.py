"""The supervisord.conf of a state folder apart from the code, as supervisord itself reads it, whatever paths hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from supervisor.options import ClientOptions, ServerOptions

from conf.settings import ROOT, Settings, load
from conf.socket_folder import socket_folder
from service.supervisor_config import ConfigError, config_of, environment, socket_of, write_config

NAMES = [
    "plain",
    "with blanks",
    "a #b ;c",
    "100%% %(here)s %d",
    'quo"te',
    "it's",
    "ends'",
    'ends"',
    "Ümläute 车",
    "x" * 90,
]


def settings_of(home: Path) -> Settings:
    return load({"TFMODEL_HOME": str(home)})


@pytest.mark.parametrize("name", NAMES)
def test_supervisord_reads_the_paths_as_they_are(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    config = write_config(settings_of(home))
    try:
        options = ServerOptions()
        options.realize(["-c", str(config)])
        assert config == home / "supervisord.conf" == config_of(home)
        assert Path(options.directory).resolve() == ROOT
        assert Path(options.logfile) == home / "log" / "supervisord.log"
        assert options.server_configs[0]["file"] == str(socket_of(home))
        programs = [process for group in options.process_group_configs for process in group.process_configs]
        assert [program.command for program in programs] == [
            "python3 -m broker",
            "python3 server.py run",
            "python3 -m trainer_worker --name trainer_worker_0",
        ]
        for program in programs:
            assert Path(program.stdout_logfile).parent == home / "log"
            assert Path(program.environment["TFMODEL_HOME"]).resolve() == home.resolve()
        client = ClientOptions()
        client.realize(["-c", str(config)])
        assert client.serverurl == f"unix://{socket_of(home)}"
    finally:
        if socket_folder(home / "run") != home / "run":
            socket_folder(home / "run").rmdir()


@pytest.mark.parametrize("name", ["both \" and '", "two\nlines"])
def test_a_path_that_supervisord_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="state folder"):
        write_config(settings_of(tmp_path / name))


def test_the_tracked_file_is_used_as_it_is_where_state_and_code_share_a_folder() -> None:
    assert config_of(ROOT) == ROOT / "supervisord.conf"


def test_a_new_start_finds_moved_code_and_an_edited_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    config = write_config(settings)
    before = config.read_text()
    config.write_text("old")
    (tmp_path / "run" / "code").unlink()
    (tmp_path / "run" / "code").symlink_to(tmp_path / "gone")
    assert write_config(settings).read_text() == before
    assert (tmp_path / "run" / "code").resolve() == ROOT


def test_the_folders_are_closed_to_others(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "new" / "home")
    write_config(settings)
    assert os.stat(settings.run_dir).st_mode & 0o777 == 0o700  # noqa: PTH116
    assert os.stat(settings.log_dir).st_mode & 0o007 == 0  # noqa: PTH116


def test_programs_get_the_same_settings_from_wherever_they_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = environment(settings_of(tmp_path), {"TFMODEL_SETTINGS": "mine.toml", "PATH": "/bin"})
    assert given == {
        "TFMODEL_SETTINGS": str(tmp_path / "mine.toml"),
        "TFMODEL_HOME": str(tmp_path),
        "PATH": "/bin",
    }


def test_the_programs_do_not_get_the_token_of_the_one_who_starts_them(tmp_path: Path) -> None:
    given = environment(settings_of(tmp_path), {"TFMODEL_TOKEN": "tfm_secret", "PATH": "/bin"})
    assert "tfm_secret" not in given.values()
    assert given["PATH"] == "/bin"
