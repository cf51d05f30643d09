"""Read conf/tfmodel.toml and the TFMODEL_… variables into typed settings, and check them."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from conf import broker_settings, cluster_settings, storage_settings, web_settings, webhook_settings, worker_settings
from conf.broker_settings import BrokerSettings, is_url
from conf.cluster_settings import ClusterSettings
from conf.data_roots import Root, folders_of, read_roots
from conf.logs import LogFormat
from conf.section import Section
from conf.storage_settings import StorageSettings
from conf.web_settings import WebSettings
from conf.webhook_settings import WebhookSettings
from conf.worker_settings import WorkerSettings
from protocol.project_url import is_project_url

#: The folder of the code. Nothing is written there unless it is the state folder too (see Settings.home).
ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FILE = ROOT / "conf" / "tfmodel.toml"

#: The exit code for bad settings (EX_CONFIG in sysexits.h). supervisord does not restart a program after it.
EXIT_BAD_SETTINGS = 78

#: The keys that hold paths.
PATH_KEYS = (
    ("web", "data_roots"),
    ("broker", "journal"),
    ("broker", "curve_dir"),
    ("worker", "data_roots"),
    ("worker", "cache_dir"),
    ("worker", "weights_dir"),
    ("worker", "backbone_dir"),
)

#: Those that may hold a URL instead.
MAY_BE_URLS = (("broker", "journal"),)

#: Variables that name no key of a section. TFMODEL_SERVER and TFMODEL_TOKEN are options of the commands that call a
#: server. TFMODEL_KEYS has the keys of a worker on another machine (conf/worker_keys.py).
NO_SETTINGS = ("TFMODEL_SETTINGS", "TFMODEL_SERVER", "TFMODEL_TOKEN", "TFMODEL_KEYS")
#: Short names of variables that are written often, with the section and the key that they set.
SHORT_NAMES = {"TFMODEL_HOME": ("service", "state_dir"), "TFMODEL_BROKER": ("worker", "broker")}

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class SettingsError(Exception):
    """A setting is unknown or bad. The message names the key, the value and what is allowed."""


class ServiceSettings(Section, frozen=True, kw_only=True):
    state_dir: str


class LogSettings(Section, frozen=True, kw_only=True):
    format: LogFormat


class Settings(Section, frozen=True, kw_only=True):
    """All sections. Their paths are absolute: `load` has joined relative ones to the state folder."""

    service: ServiceSettings
    log: LogSettings
    web: WebSettings
    broker: BrokerSettings
    worker: WorkerSettings
    storage: StorageSettings
    webhooks: WebhookSettings
    cluster: ClusterSettings

    @property
    def home(self) -> Path:
        """The state folder: everything that the service writes for itself lies below it."""
        return Path(self.service.state_dir)

    @property
    def run_dir(self) -> Path:
        """The folder for the sockets, locks and process ids of running programs."""
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"

    @property
    def token_file(self) -> Path:
        """The file with the hashes of the HTTP tokens. It does not exist if no token was ever made."""
        return self.home / "var" / "tokens.json"

    @property
    def webhook_secret_file(self) -> Path:
        """The file with the secrets that sign webhooks. It does not exist if none was ever made."""
        return self.home / "var" / "webhook-secrets"

    @property
    def webhook_file(self) -> Path:
        """The SQLite file with the webhooks that are on their way."""
        return self.home / "var" / "webhooks.sqlite3"

    @property
    def upload_file(self) -> Path:
        """The SQLite file that remembers which pictures were uploaded. Without it, a picture may be stored twice."""
        return self.home / "var" / "uploads.sqlite3"

    @property
    def worker_roots(self) -> list[Root]:
        """The folders and URLs in which this machine's workers accept project folders."""
        return read_roots(self.worker.data_roots or self.web.data_roots)

    @property
    def worker_folders(self) -> list[Path]:
        """Those of them that are folders of this machine: absolute and with links resolved."""
        return folders_of(self.worker_roots)


def load(environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read the settings from `file`, or from the file that TFMODEL_SETTINGS names, or from conf/tfmodel.toml.

    Keys that the file does not have get their defaults from conf/tfmodel.toml. TFMODEL_… variables override the file.
    Raises SettingsError.
    """
    defaults = tomllib.loads(DEFAULT_FILE.read_text())
    chosen = file or Path(environ.get("TFMODEL_SETTINGS", DEFAULT_FILE))
    try:
        given = tomllib.loads(chosen.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read the settings file {chosen}: {error}") from error
    merged = {name: dict(section) for name, section in defaults.items()}
    for name, section in given.items():
        if name not in merged or not isinstance(section, dict):
            raise SettingsError(f"Unknown section [{name}] in {chosen}; there are {_listed(merged)}.")
        merged[name].update(section)
    _apply_environment(merged, environ)
    _make_absolute(merged)
    settings = Settings(
        service=_section("service", merged["service"], ServiceSettings),
        log=_section("log", merged["log"], LogSettings),
        web=_section("web", merged["web"], WebSettings),
        broker=_section("broker", merged["broker"], BrokerSettings),
        worker=_section("worker", merged["worker"], WorkerSettings),
        storage=_section("storage", merged["storage"], StorageSettings),
        webhooks=_section("webhooks", merged["webhooks"], WebhookSettings),
        cluster=_section("cluster", merged["cluster"], ClusterSettings),
    )
    _check_together(settings)
    return settings


def load_home(environ: Mapping[str, str]) -> Path:
    """Read the state folder alone, so that a service can be stopped even if another setting is bad.

    Raises SettingsError.
    """
    chosen = environ.get("TFMODEL_HOME", environ.get("TFMODEL_SERVICE_STATE_DIR"))
    if chosen is None:
        file = Path(environ.get("TFMODEL_SETTINGS", DEFAULT_FILE))
        try:
            chosen = tomllib.loads(file.read_text()).get("service", {}).get("state_dir", "")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
            raise SettingsError(
                f"Cannot read the settings file {file}: {error}. TFMODEL_HOME can name the state folder instead."
            ) from error
    if not isinstance(chosen, str):
        raise SettingsError(f"[service] state_dir = {chosen!r} is not allowed: it must be a path, as text.")
    return _home(chosen)


def load_or_exit(environ: Mapping[str, str]) -> Settings:
    """Do the same as `load`, but on a bad setting print the error to stderr and exit with EXIT_BAD_SETTINGS."""
    try:
        return load(environ)
    except SettingsError as error:
        exit_bad_settings(str(error))


def exit_bad_settings(error: str) -> NoReturn:
    """Print the error and end the program with EXIT_BAD_SETTINGS, so that supervisord does not restart it."""
    print(f"Bad settings: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
    sys.exit(EXIT_BAD_SETTINGS)


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))


def _section(name: str, values: dict[str, Any], section_type: type[Any]) -> Any:
    """Convert one section field by field, so that the error names the key."""
    fields = {field.name: field for field in msgspec.structs.fields(section_type)}
    for key, value in values.items():
        if key not in fields:
            raise SettingsError(f"Unknown key {key!r} in section [{name}]; it has {_listed(fields)}.")
        try:
            msgspec.convert(value, fields[key].type, strict=not isinstance(value, str))
        except msgspec.ValidationError as error:
            # A table may hold a URL with a secret of its receiver, so it is not shown.
            shown = "[…]" if "{" in repr(value) else repr(value)
            raise SettingsError(f"[{name}] {key} = {shown} is not allowed: {error}.") from error
    return msgspec.convert(values, section_type, strict=False)


def _apply_environment(merged: dict[str, dict[str, Any]], environ: Mapping[str, str]) -> None:
    """Apply the variables TFMODEL_<SECTION>_<KEY>. An unknown TFMODEL_ variable is an error, like an unknown key."""
    for variable, text in environ.items():
        if not variable.startswith("TFMODEL_") or variable in NO_SETTINGS or variable in SHORT_NAMES:
            continue
        section, _, key = variable.removeprefix("TFMODEL_").lower().partition("_")
        if key not in merged.get(section, {}):
            raise SettingsError(f"The environment variable {variable} names no setting; see conf/tfmodel.toml.")
        if isinstance(merged[section][key], list) and text.lstrip().startswith(("[{", "[ {")):
            merged[section][key] = _tables(variable, text)
        elif isinstance(merged[section][key], list):
            merged[section][key] = [part.strip() for part in text.split(",") if part.strip()]
        else:
            merged[section][key] = text
    for variable, (section, key) in SHORT_NAMES.items():
        if variable in environ:
            merged[section][key] = environ[variable]


def _tables(variable: str, text: str) -> list[Any]:
    """The value of a variable for a list of tables: JSON, such as [{"name": "website", "url": "https://…"}]."""
    try:
        return msgspec.json.decode(text, type=list[Any])
    except msgspec.DecodeError as error:
        raise SettingsError(f"{variable} is not JSON ({error}); write a list of tables as [{{…}}, {{…}}].") from error


def _make_absolute(merged: dict[str, dict[str, Any]]) -> None:
    """Make all paths absolute. They are relative to the state folder, and its own path to the folder of the code.

    Values of the wrong type stay unchanged. The check of their section reports them.
    """
    service = merged["service"]
    if not isinstance(service["state_dir"], str):
        return
    home = service["state_dir"] = str(_home(service["state_dir"]))
    for section, key in PATH_KEYS:
        value = merged[section][key]
        if isinstance(value, str):
            merged[section][key] = value if (section, key) in MAY_BE_URLS and is_url(value) else _below(home, value)
        elif isinstance(value, list):
            merged[section][key] = [_below(home, path) if isinstance(path, str) else path for path in value]


def _home(state_dir: str) -> Path:
    try:
        return (ROOT / Path(state_dir).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as error:
        raise SettingsError(f"[service] state_dir = {state_dir!r} (or TFMODEL_HOME) is not a path: {error}.") from error


def _below(home: str, path: str) -> str:
    """Join the two paths. An empty path stays empty, because it has its own meaning or is refused later.

    The URL of a data root stays as it is.
    """
    return str(Path(home, path)) if path and not is_project_url(path) else path


def _check_together(settings: Settings) -> None:
    """Check the rules that span several keys of a section, and that the ports of all sections differ.

    conf/tokens.py checks whether the front-end may listen beyond this machine, because that depends on the tokens.
    """
    troubles = (
        web_settings.why_bad(settings.web),
        broker_settings.why_bad(settings.broker),
        worker_settings.why_bad(settings.worker),
        storage_settings.why_bad(settings.storage),
        webhook_settings.why_bad(settings.webhooks),
        cluster_settings.why_bad(settings.cluster),
    )
    for trouble in filter(None, troubles):
        raise SettingsError(trouble)
    broker = settings.broker
    ports: dict[int, str] = {}
    keys = ("web.port", "broker.web_port", "broker.worker_port", "broker.publish_port", "broker.collect_port")
    for key in keys if broker.host or broker.addresses else ():
        section, name = key.split(".")
        port = getattr(getattr(settings, section), name)
        if port in ports:
            raise SettingsError(f"{key} and {ports[port]} are both {port}; give each a port of its own.")
        ports[port] = key
