"""backbone=auto: the largest network that the caller's time allows, with a reason that names the figures."""

from __future__ import annotations

import pytest

from protocol.options import BACKBONES
from trainer_worker.backbones.choice import FITTING_SHARE, choose
from trainer_worker.backbones.weights_files import WEIGHTS_FILES

PLANNED_S = {"small": 40.0, "middle": 60.0, "large": 80.0}


@pytest.mark.parametrize(
    ("budget_s", "name"),
    [(10, "small"), (79, "small"), (80, "small"), (119, "small"), (120, "middle"), (160, "large"), (9999, "large")],
)
def test_with_a_budget_it_is_the_largest_that_fits_well(budget_s: float, name: str) -> None:
    chosen, reason = choose(PLANNED_S, budget_s)
    assert chosen == name
    assert f"{PLANNED_S[name]:.0f} s" in reason
    assert f"{budget_s:g} s" in reason
    assert ("more than" in reason) == (PLANNED_S[name] > FITTING_SHARE * budget_s)


def test_without_a_budget_it_is_the_quickest() -> None:
    chosen, reason = choose(PLANNED_S, 0)
    assert chosen == "small"
    assert "without a timeBudget" in reason


def test_fewer_pictures_allow_a_larger_network_and_a_longer_budget_never_a_smaller_one() -> None:
    def size(budget_s: float, pictures: int) -> int:
        planned_s = {name: 5 + pictures * each for name, each in (("small", 0.1), ("middle", 0.2), ("large", 0.3))}
        return list(planned_s).index(choose(planned_s, budget_s)[0])

    budgets = range(10, 1000, 10)
    for few, many in ((10, 100), (100, 1000)):
        sizes = [size(budget, many) for budget in budgets]
        assert sizes == sorted(sizes)
        assert all(size(budget, few) >= of_many for budget, of_many in zip(budgets, sizes, strict=True))
        assert any(size(budget, few) > of_many for budget, of_many in zip(budgets, sizes, strict=True))


def test_every_value_of_the_option_is_bundled_or_has_a_file() -> None:
    assert {*BACKBONES} == {"auto", "lite0", "lite1", "lite2", *WEIGHTS_FILES}
