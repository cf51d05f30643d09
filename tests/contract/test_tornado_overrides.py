"""The front-end builds on Tornado's public methods only: private ones may change with any release."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent.parent / "web"


def test_no_private_method_of_tornado_is_overridden() -> None:
    seen = 0
    for file in sorted(WEB.rglob("[a-z]*.py")):
        module = importlib.import_module(".".join(file.relative_to(WEB.parent).with_suffix("").parts))
        for name, one in inspect.getmembers(module, inspect.isclass):
            foreign = [base for base in one.__mro__ if base.__module__.startswith("tornado.")]
            if one.__module__ != module.__name__ or not foreign:
                continue
            seen += 1
            private = {key for key, value in vars(one).items() if key[0] == "_" != key[1] and callable(value)}
            taken = {key for key in private if any(key in vars(base) for base in foreign)}
            assert not taken, f"{module.__name__}.{name} overrides {sorted(taken)}"
    assert seen > 3, "the classes have gone; correct this test"
