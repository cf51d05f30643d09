"""What monitoring is told about HTTP: requests by route, method and status, and how long the answers took."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

#: Where the template of a route stands for requests that reached none.
REFUSED_AT_ENTRANCE, PREFLIGHT, UNKNOWN_PATH = "(refused)", "(preflight)", "(unknown)"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class HttpFigures:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "tfmodel_http_requests",
            "Answered requests. route is the template of the path, never the path itself.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "tfmodel_http_request_duration_seconds",
            "From the arrival of the whole request to the end of the answer.",
            ["route"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        # The library's labels() takes as long as both observations together, so its results are kept.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def answered(self, route: str, method: str, status: int, took_s: float) -> None:
        """Count an answer of a handler. route: its template in the table of web/routes.py."""
        self.counted(route, method, status)
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = self._durations.labels(route)
        histogram.observe(took_s)

    def counted(self, route: str, method: str, status: int) -> None:
        """Count an answer whose time says nothing: a refusal before a handler, or a stream that has ended."""
        key = route, method if method in METHODS else OTHER_METHOD, status
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(*key)
        counter.inc()
