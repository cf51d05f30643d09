"""A short share of `make test-chaos`: receivers fail, front-end and broker are killed, and no webhook is lost."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.webhooks import Campaign


def test_every_fact_arrives_in_order_and_under_one_id_whatever_dies(tmp_path: Path) -> None:
    with Campaign(tmp_path, seed=1) as campaign:
        account = campaign.run(tasks=6, kills=2)
    assert account.kills == 4
    assert account.facts >= 18
    assert (account.missing, account.out_of_order, account.other_ids) == ([], [], [])
