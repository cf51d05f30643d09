"""Options: every problem is named at once, every bound holds, and defaults stay in one place."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from protocol.bounds import TaskId
from protocol.options import (
    BACKBONES,
    EXPORT_FORMATS,
    OPTIONS_BY_TRAIN_TYPE,
    allowed_values,
    check_options,
    options_table,
    read_options,
    typed_options,
)

TRAIN_TYPES = sorted(OPTIONS_BY_TRAIN_TYPE)


def test_given_options_are_typed_and_the_others_left_out() -> None:
    options, problems = read_options("classification", {"epochs": "7", "learningRate": " 0.01 "})
    assert problems == []
    assert options == {"epochs": 7, "learningRate": 0.01}
    assert isinstance(options["epochs"], int)


def test_all_problems_come_at_once_and_good_options_still_count() -> None:
    fields = {"epochs": "0", "imageSize": "225", "colour": "red", "seed": "3"}
    options, problems = read_options("segmentation", fields)
    assert {problem.field for problem in problems} == {"epochs", "imageSize", "colour"}
    assert options == {"seed": 3}


def test_a_problem_says_what_came_and_what_is_allowed() -> None:
    _, problems = read_options("classification", {"imageSize": "huge"})
    assert (
        problems[0].error
        == "imageSize='huge' is not allowed; it takes a whole number from 64 to 512, a multiple of 32."
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tflite", ["tflite"]),
        (" onnx , tflite_int8,onnx", ["onnx", "tflite_int8"]),
        (",".join(EXPORT_FORMATS), list(EXPORT_FORMATS)),
    ],
)
def test_a_list_is_read_from_text_with_commas(text: str, names: list[str]) -> None:
    assert read_options("segmentation", {"exports": text}) == ({"exports": names}, [])
    assert typed_options("segmentation", {"exports": names}).exports == tuple(names)


@pytest.mark.parametrize("text", [",", "tflite,", "TFLITE", "tflite;onnx", "tflite onnx", "coreml", "\ud800"])
def test_a_list_with_a_name_that_is_not_allowed_is_refused_as_a_whole(text: str) -> None:
    options, problems = read_options("classification", {"exports": text})
    assert options == {}
    assert [problem.field for problem in problems] == ["exports"]
    for name in EXPORT_FORMATS:
        assert name in problems[0].error


def test_a_choice_takes_one_of_its_names_and_says_which_there_are() -> None:
    assert read_options("segmentation", {"backbone": " lite2 "}) == ({"backbone": "lite2"}, [])
    options, problems = read_options("classification", {"backbone": "lite0,lite1"})
    assert options == {}
    assert problems[0].error == (
        f"backbone='lite0,lite1' is not allowed; it takes one of {', '.join(BACKBONES)}, or own:NAME with the name of "
        "an operator's own network."
    )


@pytest.mark.parametrize("name", ["own:dinov2_vits14", "own:a", "own:0-b"])
def test_an_operators_network_is_named_by_its_folder(name: str) -> None:
    assert read_options("classification", {"backbone": name}) == ({"backbone": name}, [])
    assert typed_options("classification", {"backbone": name}).backbone == name


@pytest.mark.parametrize(
    "name",
    ["own:", "own:..", "own:../x", "own:/etc", "own:a/b", "own:.a", "own:A", "own:a\n", "own:" + "a" * 49, "dinov2"],
)
def test_a_callers_path_never_names_a_network(name: str) -> None:
    for options, problems in (
        check_options("classification", {"backbone": name}),
        read_options("classification", {"backbone": f"{name}x\ny" if name.endswith("\n") else name}),
    ):
        assert options == {}
        assert [problem.field for problem in problems] == ["backbone"]


@pytest.mark.parametrize("text", ["", " ", "\t"])
@pytest.mark.parametrize("name", ["epochs", "learningRate", "exports", "backbone"])
def test_a_field_that_was_left_empty_means_the_default(name: str, text: str) -> None:
    assert read_options("classification", {name: text}) == ({}, [])


def test_an_empty_field_that_is_no_option_is_named_all_the_same() -> None:
    assert [problem.field for problem in read_options("classification", {"colour": ""})[1]] == ["colour"]


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    _, problems = read_options("classification", {"epoch": "3"})
    for name in ("epochs", "imageSize", "validationSplit", "seed", "learningRate", "batchSize"):
        assert name in problems[0].error


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("epochs", 1, 1000),
        ("imageSize", 64, 512),
        ("validationSplit", 0.05, 0.5),
        ("seed", 0, 2**31 - 1),
        ("learningRate", 1e-6, 1.0),
        ("batchSize", 1, 512),
    ],
)
def test_bounds_are_taken_and_what_lies_beyond_is_not(name: str, least: float, most: float) -> None:
    step = 32 if name == "imageSize" else 1
    for value in (least, most):
        assert read_options("classification", {name: str(value)}) == ({name: value}, [])
    for value in (least - step, most + step):
        assert [p.field for p in read_options("classification", {name: str(value)})[1]] == [name]


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "Infinity", "0,1", "1e999", "true", "\ud800"])
@pytest.mark.parametrize("name", ["learningRate", "epochs"])
def test_what_is_no_finite_number_is_refused(name: str, text: str) -> None:
    options, problems = read_options("classification", {name: text})
    assert options == {}
    assert [problem.field for problem in problems] == [name]


@given(
    fields=st.dictionaries(st.sampled_from(["epochs", "learningRate", "seed", "x", "imageSize", "exports"]), st.text())
)
def test_any_text_gives_options_or_problems_never_an_exception(fields: dict[str, str]) -> None:
    options, problems = read_options("segmentation", fields)
    left_empty = [name for name, text in fields.items() if name != "x" and not text.strip()]
    assert len(options) + len(problems) + len(left_empty) == len(fields)
    typed_options("segmentation", options)


@pytest.mark.parametrize("train_type", TRAIN_TYPES)
def test_defaults_are_filled_in_and_lie_within_their_own_bounds(train_type: str) -> None:
    defaults = typed_options(train_type, {})
    named = {field.encode_name: getattr(defaults, field.name) for field in msgspec.structs.fields(type(defaults))}
    assert typed_options(train_type, named) == defaults
    assert typed_options(train_type, {"epochs": 3}).epochs == 3


def test_a_typed_option_that_is_unknown_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        typed_options("classification", {"colour": 1})


@pytest.mark.parametrize("train_type", TRAIN_TYPES)
def test_the_table_for_the_documents_names_every_option_with_meaning(train_type: str) -> None:
    rows = options_table(train_type)
    known = {field.encode_name for field in msgspec.structs.fields(OPTIONS_BY_TRAIN_TYPE[train_type])}
    assert {row[0] for row in rows} == known
    assert all(allowed and default and meaning for _, allowed, default, meaning in rows)


def test_an_option_of_a_number_or_a_word_says_both_and_keeps_their_types() -> None:
    assert read_options("segmentation", {"tiles": "16"}) == ({"tiles": 16}, [])
    assert read_options("segmentation", {"tiles": "auto"}) == ({"tiles": "auto"}, [])
    for value in ("1001", "-1", "none", "1.5"):
        _, (problem,) = read_options("segmentation", {"tiles": value})
        assert problem.error == (f"tiles={value!r} is not allowed; it takes a whole number from 0 to 1000 or auto.")


def test_a_list_without_fixed_words_is_described_by_its_length() -> None:
    assert allowed_values(Annotated[tuple[TaskId, ...], Meta(min_length=2, max_length=4)]) == (
        "2 to 4 values, with commas between"
    )
    assert allowed_values(tuple[Literal["a", "b"], ...]) == "one or more of a, b, with commas between"


@pytest.mark.parametrize("train_type", TRAIN_TYPES)
def test_patterns_are_such_as_inputs_of_browsers_take(train_type: str) -> None:
    """They are read with the flag v of JavaScript, which takes no bare hyphen at the end of a class of characters."""
    patterns = []
    for option in msgspec.json.schema_components([OPTIONS_BY_TRAIN_TYPE[train_type]])[1].values():
        patterns += [each["pattern"] for each in option.get("properties", {}).values() if "pattern" in each]
    assert patterns
    assert not [pattern for pattern in patterns if re.search(r"[^\\\[]-\]", pattern)]
