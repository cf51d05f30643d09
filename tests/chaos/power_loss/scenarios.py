"""The table of all scenarios."""

from __future__ import annotations

from tests.chaos.power_loss.front_end_files import Correcting, Uploading, Webhooks
from tests.chaos.power_loss.journals import BackupAndRestore, Migration, Pruning, ServingBroker
from tests.chaos.power_loss.postgres import CAN_SERVE, ServingPostgres
from tests.chaos.power_loss.projects import KeptForLater, Publishing
from tests.chaos.power_loss.scenario import Scenario
from tests.chaos.power_loss.secret_files import Keys, Tokens, WebhookSecrets

SCENARIOS: tuple[Scenario, ...] = (
    ServingBroker(),
    Migration(),
    Pruning(),
    BackupAndRestore(),
    Publishing(),
    KeptForLater(),
    Uploading(),
    Correcting(),
    Webhooks(),
    Tokens(),
    WebhookSecrets(),
    Keys(),
    *((ServingPostgres(),) if CAN_SERVE else ()),
)

#: Scenarios that take seconds for each state, and after how many of their changes the power is cut.
MOST_CUTS = {ServingPostgres.name: 8}
