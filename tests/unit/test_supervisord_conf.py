"""supervisord.conf: what is started again, what is not, and who gets the time to end well."""

from __future__ import annotations

import configparser
import shutil
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from conf.settings import EXIT_BAD_SETTINGS, ROOT, load

PROGRAMS = ("broker", "server", "trainer_worker")


@pytest.fixture
def conf() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(ROOT / "supervisord.conf")
    return parser


def test_there_are_three_programs(conf: configparser.RawConfigParser) -> None:
    assert {name for name in conf.sections() if name.startswith("program:")} == {f"program:{n}" for n in PROGRAMS}


@pytest.mark.parametrize("program", PROGRAMS)
def test_bad_settings_are_the_only_end_that_is_final(conf: configparser.RawConfigParser, program: str) -> None:
    section = conf[f"program:{program}"]
    assert section["autorestart"] == "unexpected"
    assert section["exitcodes"] == str(EXIT_BAD_SETTINGS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_stop_reaches_the_whole_process_group(conf: configparser.RawConfigParser, program: str) -> None:
    section = conf[f"program:{program}"]
    assert section.getboolean("stopasgroup")
    assert section.getboolean("killasgroup")


def test_a_worker_gets_longer_to_stop_than_its_stop_ladder_takes(conf: configparser.RawConfigParser) -> None:
    worker = load({}).worker
    assert int(conf["program:trainer_worker"]["stopwaitsecs"]) > worker.stop_grace_s + worker.kill_grace_s


def test_supervisord_reads_it_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "100%% %d #1 ;it's"
    (folder / "log").mkdir(parents=True)
    (folder / "run").mkdir()
    shutil.copy(ROOT / "supervisord.conf", folder)
    options = ServerOptions()
    options.realize(["-c", str(folder / "supervisord.conf")])
    assert options.directory == str(folder)
    programs = [program for group in options.process_group_configs for program in group.process_configs]
    assert {str(Path(program.stdout_logfile).parent) for program in programs} == {str(folder / "log")}
