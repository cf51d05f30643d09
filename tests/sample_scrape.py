"""A scrape of a running front-end, read by the library's own parser."""

from __future__ import annotations

import http.client

from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import TIMEOUT_S

Labels = frozenset[tuple[str, str]]


class Scrape:
    """The answer to one GET /metrics."""

    def __init__(self, port: int, authorization: str = "") -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        try:
            headers = {"Authorization": authorization} if authorization else {}
            connection.request("GET", "/metrics", headers=headers)
            response = connection.getresponse()
            self.status = response.status
            self.content_type = response.headers["Content-Type"]
            self.text = response.read().decode()
        finally:
            connection.close()
        families = list(text_string_to_metric_families(self.text)) if self.status == 200 else []
        #: The families by their names, also those without a sample.
        self.families = {family.name: family for family in families}
        self._values: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def names(self) -> set[str]:
        """The names that a query may use, and those of histograms, which stand for their buckets, sums and counts."""
        return {name for name, _ in self._values} | {
            f"{name}_total" if family.type == "counter" else name for name, family in self.families.items()
        }

    def labels(self) -> set[str]:
        """All values of labels."""
        return {value for _, labels in self._values for _, value in labels}

    def value(self, name: str, **labels: str) -> float | None:
        return self._values.get((name, frozenset(labels.items())))
