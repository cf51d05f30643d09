"""The figures about webhooks, for monitoring."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from web.webhooks.delivery import Count


class WebhookFigures:
    """The labels are the names of destinations, which come from the settings."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_destination = ["destination"]
        self._attempts = Counter(
            "tfmodel_webhook_attempts",
            "Attempts to deliver a webhook, by result: delivered or failed.",
            [*by_destination, "result"],
            registry=registry,
        )
        self._waiting = Gauge(
            "tfmodel_webhooks_waiting", "Webhooks that are not delivered yet.", by_destination, registry=registry
        )
        self._dead = Gauge(
            "tfmodel_webhook_dead_letters", "Webhooks that were given up.", by_destination, registry=registry
        )
        self._lag = Gauge(
            "tfmodel_webhook_lag_facts",
            "Facts of the journal that have not been looked at yet for this destination.",
            by_destination,
            registry=registry,
        )
        self._missed = Counter(
            "tfmodel_webhook_missed_facts",
            "Facts that the journal may have deleted before a destination was told of them.",
            registry=registry,
        )
        self._stuck = Gauge(
            "tfmodel_webhooks_stuck", "1 while the file of the webhooks cannot be used.", registry=registry
        )

    def expect(self, destinations: list[str]) -> None:
        """Show these destinations with zeros, so that a rise from nothing is seen."""
        for name in destinations:
            for result in ("delivered", "failed"):
                self._attempts.labels(name, result)
            self.counted({name: Count()})

    def attempted(self, destination: str, delivered: bool) -> None:
        self._attempts.labels(destination, "delivered" if delivered else "failed").inc()

    def counted(self, counts: Mapping[str, Count]) -> None:
        for name, count in counts.items():
            self._waiting.labels(name).set(count.waiting)
            self._dead.labels(name).set(count.dead)

    def lags(self, destination: str, facts: int) -> None:
        self._lag.labels(destination).set(facts)

    def missed(self, facts: int) -> None:
        self._missed.inc(facts)

    def stuck(self, stuck: bool) -> None:
        self._stuck.set(stuck)
