"""How soon the page can be used, and what fifty open pages cost the other calls.

    python -m benchmarks.page                    both parts, about a minute
    python -m benchmarks.page --part interactive how soon the first view can be used, in this system's Chromium
    python -m benchmarks.page --part open        requests a second with the streams of 50 pages

Targets: the first view can be used 0.3 s after its address was entered (median). With 50 pages open and tasks that
train, GET and POST keep the share of bare Tornado's requests a second that they have without pages. A page is open as
one stream of all events, as its shared worker reads it; that is the most that a page asks for while nobody acts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.fan_out import CALLS, READY_TIMEOUT_S, UNLIMITED, Listeners, Place, rate, running_place
from benchmarks.http_requests import machine
from benchmarks.service_processes import ServiceProcesses
from tests.browser.chromium import HOW_TO_GET_IT, launch
from tests.browser.first_view import usable_after_ms

PARTS = ("interactive", "open")
TARGET_INTERACTIVE_MS = 300.0
PAGES = 50
LOADS = 15
SERVERS = ("bare", "no pages", "pages")


def interactive_part(folder: Path) -> None:
    service = ServiceProcesses(folder)
    with service.program("broker", "-m", "broker"), service.program("web", "server.py", "run"):
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            if browser is None:
                print(HOW_TO_GET_IT)
                return
            took_ms = [usable_after_ms(browser, service.address) for _ in range(LOADS)]
            browser.close()
    print(f"\nThe first view can be used after {statistics.median(took_ms):.0f} ms (median of {LOADS} loads without a")
    print(f"cache, {min(took_ms):.0f} to {max(took_ms):.0f}; target {TARGET_INTERACTIVE_MS:.0f}).")


def open_part(folder: Path, rounds: int, seconds: float) -> None:
    """Measure in interleaved rounds: bare Tornado, no pages, and pages."""
    service = ServiceProcesses(folder, BROKER_MAX_PENDING=UNLIMITED, BROKER_MAX_PENDING_PER_USER=UNLIMITED)
    with running_place(service) as place:
        print_shares([one_round(place, seconds) for _ in range(rounds)])


def one_round(place: Place, seconds: float) -> dict[tuple[str, str], float]:
    """Requests a second by server and call."""
    rates = {
        (server, call): rate(place, port, call, seconds)
        for server, port in (("bare", place.bare_port), ("no pages", place.port))
        for call in CALLS
    }
    pages = Listeners(place.port, PAGES, "/v1/events")
    for call in CALLS:
        rates["pages", call] = rate(place, place.port, call, seconds)
    pages.leave()
    return rates


def print_shares(rounds: list[dict[tuple[str, str], float]]) -> None:
    print(
        f"\nRequests a second, and the share of bare Tornado; medians of {len(rounds)} rounds, with {PAGES} pages open:"
    )
    print(f"{'':<6}{'bare':>8}{'no pages':>10}{'share':>7}{'pages':>8}{'share':>7}{'kept':>7}")
    for call in CALLS:
        bare, without, opened = (statistics.median(each[server, call] for each in rounds) for server in SERVERS)
        shares = [
            statistics.median(each[server, call] / each["bare", call] for each in rounds) for server in SERVERS[1:]
        ]
        kept = statistics.median(each["pages", call] / each["no pages", call] for each in rounds)
        print(f"{call:<6}{bare:>8.0f}{without:>10.0f}{shares[0]:>7.2f}{opened:>8.0f}{shares[1]:>7.2f}{kept:>7.2f}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds for each figure")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = {name: Path(folder) / name for name in PARTS if arguments.part in (None, name)}
        for part in parts.values():
            part.mkdir()
        print(machine(Path(folder)))
        if "interactive" in parts:
            interactive_part(parts["interactive"])
        if "open" in parts:
            open_part(parts["open"], arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
