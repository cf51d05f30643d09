"""The style sheets of the page: no rule without a use, and none of a view that changes another view."""

from __future__ import annotations

import re

import pytest

from web.documents.static_files import STATIC

PAGE = STATIC / "page"
LOOK = PAGE / "look"
SHEETS = sorted(LOOK.glob("*.css"))
SCRIPTS = "\n".join(path.read_text() for path in sorted(PAGE.rglob("*.js")))
#: All words that stand behind `class=` in a script, or `name=`, which is the class of a table.
WRITTEN = set(re.findall(r"[\w-]+", " ".join(re.findall(r"\b(?:class|name)=[^\n>]*", SCRIPTS))))
#: Classes that a script puts together, or takes from a name of the server, and those of uPlot.
COMPOSED = {
    *("done", "failed", "processing", "error", "warning", "decided", "label", "exclude"),
    *("step-warn", "step-bad", "right", "wrong", "none", "u-legend"),
    *(
        f"{view}-view"
        for view in re.findall(r"^  (\w+): \{ title", (PAGE / "views/views.js").read_text(), re.MULTILINE)
    ),
}
#: The sheets of views, and the class of the element that a view stands in. A sheet stays when another view is shown.
OF_A_VIEW = ("now", "start", "try", "compare", "server", "labels")
SCOPES = {**{name: f".{name}-view" for name in OF_A_VIEW}, "task": ".tasks-view", "report": ".report"}


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def selectors_of(text: str) -> str:
    """What stands before each brace, without the declarations."""
    return " ".join(re.findall(r"([^{};]+)\{", without_comments(text)))


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)
def test_each_class_is_used_by_a_script(path: object) -> None:
    classes = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors_of(path.read_text())))  # type: ignore[attr-defined]
    assert classes - WRITTEN - COMPOSED == set()


def test_each_token_is_defined_and_used() -> None:
    look = without_comments("\n".join(path.read_text() for path in SHEETS))
    tokens = (LOOK / "tokens.css").read_text()
    defined = {name for name in re.findall(r"(--[\w-]+):", tokens) if not name.startswith("--pico")}
    used = set(re.findall(r"var\((--[\w-]+)", look)) | set(re.findall(r"--[a-z]+(?:-\w+)*", SCRIPTS))
    assert defined - used == set()
    set_by_scripts = {"--part"}
    assert {name for name in used if f"var({name}" in look} - defined - set_by_scripts <= {
        name for name in used if name.startswith("--pico")
    }


@pytest.mark.parametrize(("name", "scope"), SCOPES.items())
def test_all_rules_of_a_view_stand_below_its_class(name: str, scope: str) -> None:
    text = without_comments((LOOK / f"{name}.css").read_text()).strip()
    assert text.startswith(f"{scope} {{")
    assert text.endswith("\n}")
    assert [line for line in text.splitlines()[1:-1] if line and not line.startswith("  ")] == []


def test_every_sheet_is_of_a_view_or_of_a_part() -> None:
    of_parts = {"tokens", "frame", "parts", "large_photo", "option_fields"}
    assert {path.stem for path in SHEETS} == {*SCOPES, *of_parts}


def test_colours_are_those_of_the_tokens() -> None:
    # A shadow is black in both themes.
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|rgb\((?!0 0 0 /)|\bhsl\(|!important")
    others = [path for path in SHEETS if path.stem != "tokens"]
    assert [(path.stem, found) for path in others for found in colour.findall(without_comments(path.read_text()))] == []
