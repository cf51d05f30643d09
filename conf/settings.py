"""Read conf/tfmodel.toml and the TFMODEL_… variables into typed settings, and check them."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from conf.logs import LogFormat
from conf.webhook_settings import WebhookSettings, why_bad

#: The folder of the code. Nothing is written there unless it is the state folder too (see Settings.home).
ROOT = Path(__file__).resolve().parent.parent
DEFAULT_FILE = ROOT / "conf" / "tfmodel.toml"

#: The exit code for bad settings (EX_CONFIG in sysexits.h). supervisord does not restart a program after it.
EXIT_BAD_SETTINGS = 78

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]
Count = Annotated[int, Meta(ge=1)]

#: The keys that hold paths.
PATH_KEYS = (
    ("web", "data_roots"),
    ("broker", "journal"),
    ("broker", "curve_dir"),
    ("worker", "data_roots"),
    ("worker", "cache_dir"),
    ("worker", "weights_dir"),
)

#: Variables that name no key of a section. TFMODEL_SERVER and TFMODEL_TOKEN are options of the commands that call a
#: server.
NO_SETTINGS = ("TFMODEL_SETTINGS", "TFMODEL_HOME", "TFMODEL_SERVER", "TFMODEL_TOKEN")

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

#: A name or an address, without a port: "tfmodel.example.com", "192.0.2.7", "[2001:db8::7]".
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
#: An origin as browsers send it: in lower case, with a port only if it is not the default port of the scheme.
ORIGIN = re.compile(
    r"(http(?!.*:80\Z)|https(?!.*:443\Z))://([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


class SettingsError(Exception):
    """A setting is unknown or bad. The message names the key, the value and what is allowed."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ServiceSettings(_Section, frozen=True, kw_only=True):
    state_dir: str


class LogSettings(_Section, frozen=True, kw_only=True):
    format: LogFormat


class WebSettings(_Section, frozen=True, kw_only=True):
    host: Annotated[str, Meta(min_length=1)]
    port: Port
    data_roots: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    allow_anonymous: bool
    allowed_hosts: list[str]
    allowed_origins: list[str]
    request_timeout_s: Seconds
    idle_timeout_s: Seconds
    transfer_timeout_s: Seconds
    max_connections: Annotated[int, Meta(ge=10, le=100_000)]
    max_connections_per_address: Annotated[int, Meta(ge=1, le=100_000)]
    max_streams: Annotated[int, Meta(ge=1, le=100_000)]
    max_streams_per_address: Annotated[int, Meta(ge=1, le=100_000)]
    max_body_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)]
    max_predict_body_mb: Annotated[int, Meta(ge=1, le=100)]
    predict_processes: Annotated[int, Meta(ge=1, le=64)]
    predict_memory_mb: Annotated[int, Meta(ge=16)]
    uploads: bool
    max_upload_mb: Annotated[int, Meta(ge=1, le=1000)]
    max_upload_pictures: Annotated[int, Meta(ge=1, le=1_000_000)]
    max_upload_project_mb: Annotated[int, Meta(ge=1)]
    cached_tasks: Count
    min_free_mb: Annotated[int, Meta(ge=0)]

    @property
    def max_predict_body_bytes(self) -> int:
        return self.max_predict_body_mb * 1024**2

    def allowed_roots(self) -> list[Path]:
        """The absolute folders, with links resolved, in which project folders may lie."""
        return [Path(root).resolve() for root in self.data_roots]


class BrokerSettings(_Section, frozen=True, kw_only=True):
    #: "" means Unix sockets in the state folder's run/. Any other value is the address for TCP with CURVE keys.
    host: str
    web_port: Port
    worker_port: Port
    publish_port: Port
    collect_port: Port
    curve_dir: Annotated[str, Meta(min_length=1)]
    journal: Annotated[str, Meta(min_length=1)]
    keep_days: Annotated[float, Meta(gt=0)]
    max_pending: Count
    max_pending_per_user: Count
    max_running_per_user: Annotated[int, Meta(ge=0)]
    max_attempts: Annotated[int, Meta(ge=1, le=100)]
    heartbeat_interval_s: Seconds
    lease_ttl_s: Seconds

    @property
    def journal_path(self) -> Path:
        return Path(self.journal)

    @property
    def curve_path(self) -> Path:
        return Path(self.curve_dir)


class WorkerSettings(_Section, frozen=True, kw_only=True):
    broker: Annotated[str, Meta(pattern=r"^$|^tcp://.+:\d+$")]
    data_roots: list[Annotated[str, Meta(min_length=1)]]
    cache_dir: Annotated[str, Meta(min_length=1)]
    weights_dir: Annotated[str, Meta(min_length=1)]
    threads: Annotated[int, Meta(ge=0, le=1024)]
    tasks_per_process: Count
    keep_spare: bool
    memory_limit_mb: Annotated[int, Meta(ge=1000)]
    stop_grace_s: Seconds
    kill_grace_s: Seconds
    stall_limit_s: Seconds
    keep_models: Annotated[int, Meta(ge=0)]

    @property
    def cache_path(self) -> Path:
        return Path(self.cache_dir)

    @property
    def weights_path(self) -> Path:
        return Path(self.weights_dir)

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))


class Settings(_Section, frozen=True, kw_only=True):
    """All sections. Their paths are absolute: `load` has joined relative ones to the state folder."""

    service: ServiceSettings
    log: LogSettings
    web: WebSettings
    broker: BrokerSettings
    worker: WorkerSettings
    webhooks: WebhookSettings

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
    def worker_roots(self) -> list[Path]:
        """The absolute folders, with links resolved, in which this machine's workers accept project folders."""
        roots = self.worker.data_roots or self.web.data_roots
        return [Path(root).resolve() for root in roots]


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
        webhooks=_section("webhooks", merged["webhooks"], WebhookSettings),
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
        if not variable.startswith("TFMODEL_") or variable in NO_SETTINGS:
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
    # TFMODEL_HOME is the short name of the variable that operators set most often.
    if "TFMODEL_HOME" in environ:
        merged["service"]["state_dir"] = environ["TFMODEL_HOME"]


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
            merged[section][key] = _below(home, value)
        elif isinstance(value, list):
            merged[section][key] = [_below(home, path) if isinstance(path, str) else path for path in value]


def _home(state_dir: str) -> Path:
    try:
        return (ROOT / Path(state_dir).expanduser()).resolve()
    except (RuntimeError, ValueError, OSError) as error:
        raise SettingsError(f"[service] state_dir = {state_dir!r} (or TFMODEL_HOME) is not a path: {error}.") from error


def _below(home: str, path: str) -> str:
    """Join the two paths. An empty path stays empty, because it has its own meaning or is refused later."""
    return str(Path(home, path)) if path else path


def _check_together(settings: Settings) -> None:
    """Check the rules that span several keys: ports differ, and a lease lasts at least two heartbeat intervals.

    conf/tokens.py checks whether the front-end may listen beyond this machine, because that depends on the tokens.
    """
    _check_callers(settings.web)
    if trouble := why_bad(settings.webhooks):
        raise SettingsError(trouble)
    broker = settings.broker
    ports: dict[int, str] = {}
    keys = ("web.port", "broker.web_port", "broker.worker_port", "broker.publish_port", "broker.collect_port")
    for key in keys if broker.host else ():
        section, name = key.split(".")
        port = getattr(getattr(settings, section), name)
        if port in ports:
            raise SettingsError(f"{key} and {ports[port]} are both {port}; give each a port of its own.")
        ports[port] = key
    if broker.lease_ttl_s < 2 * broker.heartbeat_interval_s:
        raise SettingsError(
            f"[broker] lease_ttl_s = {broker.lease_ttl_s} must be at least twice "
            f"heartbeat_interval_s = {broker.heartbeat_interval_s}, or one lost heartbeat loses the task."
        )


def _check_callers(web: WebSettings) -> None:
    """Check that the allowed hosts and origins have the form in which requests name them."""
    for host in web.allowed_hosts:
        if not HOST.fullmatch(host):
            raise SettingsError(
                f"[web] allowed_hosts = {web.allowed_hosts!r} is not allowed: {host!r} is not a name or an address "
                "without a port, such as tfmodel.example.com, 192.0.2.7 or [2001:db8::7]."
            )
    for origin in web.allowed_origins:
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"[web] allowed_origins = {web.allowed_origins!r} is not allowed: {origin!r} is not an origin as "
                "browsers send it, such as https://app.example.com: in lower case, with a port only if it is not the "
                "default port, and with nothing after it."
            )
