"""The folders with an operator's own networks: what lies in one, and what its backbone.toml says.

    [worker] backbone_dir/NAME/backbone.toml
                               network.keras or saved_model/

Nothing here loads a network, so the doctor reads these folders too. A network can run code when it is loaded. So only
the operator can put one there, and a caller names it by its folder, as backbone=own:NAME.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta

from protocol.errors import TrainingError
from protocol.options import OWN_NAME, OWN_PREFIX, PLANNED_SIZE_PX, allowed_values
from trainer_worker.backbones.presence import NO_FOLDER, NOT_THERE, why_no_file, why_no_folder

SETTINGS_FILE = "backbone.toml"
KERAS_FILE = "network.keras"
SAVED_MODEL = "saved_model"
#: The program that tries such a network (trainer_worker/backbone_check).
CHECK_COMMAND = "python -m trainer_worker.backbone_check"
#: Far more than all keys need. The time to parse TOML can grow with the square of its length.
MOST_SETTINGS_BYTES = 16 * 1024

_Words = Annotated[str, Meta(min_length=1, max_length=200)]
_LayerName = Annotated[str, Meta(max_length=200)]
_Three = tuple[float, float, float]


class OwnSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of backbone.toml. docs/operations.md, "A network of your own", explains them to operators.

    network, licence: as manifests of models say them. channels, data_format: how the network takes pictures;
    data_format is also that of a map that it gives.
    scale, offset: the network gets x * scale + offset for x from 0 to 255; mean, std: (x / 255 - mean) / std instead.
    input_px: the one size that it takes; 0 if its file says that, or if it takes any size. output: the layer (Keras) or
    the output (SavedModel) whose values are the features; "" for the only one. tokens: what becomes of an output
    (n, tokens, features). trunk_end, endpoints: layers of a Keras file, see Backbone. signature: of a SavedModel.
    cost: how many times as long as lite0 it takes for a picture, for forecasts.
    """

    network: _Words
    licence: _Words
    channels: Literal["rgb", "bgr"] = "rgb"
    data_format: Literal["channels_last", "channels_first"] = "channels_last"
    scale: float | _Three | None = None
    offset: float | _Three | None = None
    mean: _Three | None = None
    std: _Three | None = None
    input_px: Annotated[int, Meta(ge=0, le=512, multiple_of=32)] = 0
    output: _LayerName = ""
    tokens: Literal["mean", "first"] = "mean"
    trunk_end: _LayerName = ""
    endpoints: Annotated[tuple[_LayerName, ...], Meta(max_length=5)] = ()
    signature: _LayerName = "serving_default"
    cost: Annotated[float, Meta(gt=0, le=10000)] = 1.0

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers at which trainings cut the network, each once."""
        return tuple(dict.fromkeys(name for name in (*self.endpoints, self.trunk_end) if name))

    def preprocessing(self) -> tuple[list[float], list[float]]:
        """The scale and the offset for each channel in the order of the network."""
        if self.mean is not None and self.std is not None:
            pairs = list(zip(self.mean, self.std, strict=True))
            return [1 / (255 * std) for _, std in pairs], [-mean / std for mean, std in pairs]
        return _each_channel(self.scale, 1.0), _each_channel(self.offset, 0.0)


def _each_channel(number: float | _Three | None, default: float) -> list[float]:
    if number is None:
        return [default] * 3
    return list(number) if isinstance(number, tuple) else [number] * 3


@dataclass(frozen=True)
class OwnFolder:
    """The folder of one network, with its settings read. model: its Keras file, or the folder of its SavedModel."""

    path: Path
    settings: OwnSettings
    model: Path

    @property
    def name(self) -> str:
        """The value of the option `backbone` that means this network."""
        return OWN_PREFIX + self.path.name

    @property
    def is_keras(self) -> bool:
        return self.model.name == KERAS_FILE

    def refuse_key(self, key: str, reason: str) -> NoReturn:
        """Raise TrainingError for a key of backbone.toml. reason: what is wrong, and what is allowed."""
        _refuse_key(self.path / SETTINGS_FILE, key, getattr(self.settings, key), reason)

    def refuse_model(self, reason: str) -> NoReturn:
        """Raise TrainingError for the network itself."""
        raise TrainingError("unsupported_option", f"{self.model} {reason}")


def find_own_folder(backbone: str, backbone_dir: Path) -> Path | None:
    """The folder for a value of the option `backbone`; None if the value means no network of the operator's own.

    Raises TrainingError unsupported_option when the folder can't be used.
    """
    if not backbone.startswith(OWN_PREFIX):
        return None
    path = backbone_dir / backbone.removeprefix(OWN_PREFIX)
    if reason := why_no_folder(path):
        names = [OWN_PREFIX + name for name in own_names(backbone_dir)]
        raise TrainingError(
            "unsupported_option",
            f"backbone={backbone} needs the folder {path} ([worker] backbone_dir) on the worker, but it {reason}. "
            f"This worker has {', '.join(names) or 'no network of its own'}. The operator can change that "
            '(docs/operations.md, "A network of your own"); or post backbone=auto.',
        )
    return path


def own_names(backbone_dir: Path) -> list[str]:
    """The names of the networks in the folder, sorted. Folders whose names callers can't write are left out.

    Raises what `own_entries` raises.
    """
    return [path.name for path in own_entries(backbone_dir) if can_be_named(path) and not why_no_folder(path)]


def own_entries(backbone_dir: Path) -> list[Path]:
    """What lies in the folder, sorted, except plain files; [] if there is no such folder, because it is optional.

    Raises TrainingError unsupported_option if it can't be read.
    """
    reason = why_no_folder(backbone_dir)
    if reason == NOT_THERE:
        return []
    if not reason:
        try:
            return sorted(path for path in backbone_dir.iterdir() if why_no_folder(path) != NO_FOLDER)
        except OSError as error:
            reason = f"can't be read ({error.strerror})"
    raise TrainingError(
        "unsupported_option",
        f"{backbone_dir} ([worker] backbone_dir) {reason}; it must be a folder that the user of the worker can read.",
    )


def can_be_named(path: Path) -> bool:
    """Whether callers can write the name of this folder."""
    return re.fullmatch(OWN_NAME, path.name) is not None


def read_own_folder(path: Path) -> OwnFolder:
    """Read the settings of a network. Raises TrainingError unsupported_option, which names the file and the key."""
    if reason := why_no_folder(path):
        raise TrainingError("unsupported_option", f"{path} {reason}; it must be a folder with {SETTINGS_FILE}.")
    settings = _read_settings(path / SETTINGS_FILE)
    models = [path / KERAS_FILE, path / SAVED_MODEL / "saved_model.pb"]
    reasons = {model: why_no_file(model) for model in models}
    present = [model for model, reason in reasons.items() if reason != NOT_THERE]
    if len(present) != 1:
        what = "has both" if present else "has neither of"
        raise TrainingError(
            "unsupported_option",
            f"{path} {what} {KERAS_FILE} and {SAVED_MODEL}/saved_model.pb; it must have one of them.",
        )
    model = present[0]
    if reasons[model]:
        raise TrainingError("unsupported_option", f"{model} {reasons[model]}; the worker must be able to read it.")
    folder = OwnFolder(path, settings, model if model.name == KERAS_FILE else model.parent)
    _check_together(folder)
    return folder


def _read_settings(file: Path) -> OwnSettings:
    try:
        given = tomllib.loads(_read_text(file))
    except FileNotFoundError:
        raise TrainingError(
            "unsupported_option", f'{file} is missing; docs/operations.md, "A network of your own", has an example.'
        ) from None
    except (OSError, ValueError, RecursionError) as error:  # no UTF-8 and no TOML are both ValueErrors
        raise TrainingError("unsupported_option", f"{file} can't be read as TOML: {str(error)[:300]}.") from error
    fields = {field.name: field for field in msgspec.structs.fields(OwnSettings)}
    for key, value in given.items():
        if key not in fields:
            words = f"{file} has the unknown key {key[:80]!r}; it may have {', '.join(fields)}."
            raise TrainingError("unsupported_option", words)
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            _refuse_key(file, key, value, f"{str(error)[:200]}; {_allowed(key, fields[key].type)}.", error)
    missing = [name for name, field in fields.items() if field.required and name not in given]
    if missing:
        words = f'{file} lacks the key {missing[0]}; write what people should read there, as {missing[0]} = "…".'
        raise TrainingError("unsupported_option", words)
    return msgspec.convert(given, OwnSettings)


def _read_text(file: Path) -> str:
    """The text of the file. Raises OSError, or ValueError if it can't be the settings of a network."""
    if file.exists() and not file.is_file():  # to open a pipe would wait for its other end
        raise ValueError("it is no regular file")
    with file.open("rb") as opened:
        content = opened.read(MOST_SETTINGS_BYTES + 1)
    if len(content) > MOST_SETTINGS_BYTES:
        raise ValueError(f"it has more than {MOST_SETTINGS_BYTES // 1024} kB; keep the keys, and shorten the comments")
    return content.decode()


def _allowed(key: str, field_type: Any) -> str:
    """What the key may be, in words."""
    if key in ("scale", "offset"):
        return "allowed is one number, or three in brackets"
    if key in ("mean", "std"):
        return "allowed are three numbers in brackets, one for each channel"
    if key == "endpoints":
        return "allowed are the names of five layers in brackets"
    return f"allowed is {allowed_values(field_type)}"


def _refuse_key(file: Path, key: str, value: Any, reason: str, cause: Exception | None = None) -> NoReturn:
    words = f"{file}: {key} = {str(value)[:80]!r} is not allowed: {reason}"
    raise TrainingError("unsupported_option", words) from cause


def _check_together(folder: OwnFolder) -> None:
    """Check the rules that span several keys."""
    settings = folder.settings
    if (settings.mean is None) != (settings.std is None):
        key = "mean" if settings.std is None else "std"
        folder.refuse_key(key, "mean and std need each other; give both, or neither.")
    if settings.mean is not None and (settings.scale is not None or settings.offset is not None):
        folder.refuse_key("mean", "give either mean and std, or scale and offset.")
    if settings.std is not None and min(settings.std) <= 0:
        folder.refuse_key("std", "each number must be larger than 0.")
    if not all(map(math.isfinite, (*settings.preprocessing()[0], *settings.preprocessing()[1]))):
        folder.refuse_key("mean" if settings.mean is not None else "scale", "all numbers must be finite.")
    if not folder.is_keras:
        for key in ("trunk_end", "endpoints"):
            if getattr(settings, key):
                folder.refuse_key(key, f"a SavedModel can't be cut at a layer; only {KERAS_FILE} can.")
    if settings.endpoints and len(settings.endpoints) != 5:
        folder.refuse_key(
            "endpoints", "a U-Net needs five layers, with maps of 1/2, 1/4, 1/8, 1/16 and 1/32 of a side."
        )
    if 0 < settings.input_px < 64:
        folder.refuse_key("input_px", f"allowed is 0, or a multiple of 32 from 64 to 512, such as {PLANNED_SIZE_PX}.")
