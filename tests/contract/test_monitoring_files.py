"""The alert rules and the dashboard: promtool reads the rules, each one fires when it should, and the page names it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conf.settings import ROOT

ALERTS = ROOT / "conf" / "alerts.yml"
DASHBOARD = ROOT / "conf" / "grafana-dashboard.json"
OPERATIONS = ROOT / "docs" / "operations.md"

#: For each alert: series for four hours, one value every two minutes, with which it fires at the end. In promtool's
#: notation, "0x120" is a constant, and "0+1x120" rises by one each time.
FIRING: dict[str, dict[str, str]] = {
    "TFModelAway": {'up{job="tfmodel"}': "0x120"},
    "TFModelBrokerAway": {"tfmodel_broker_up": "0x120"},
    "TFModelNoWorker": {f'tfmodel_workers{{state="{state}"}}': "0x120" for state in ("free", "busy", "loading")},
    "TFModelPoolTooSmall": {
        'tfmodel_pool_workers{pool="gpu",state="wanted"}': "2x120",
        'tfmodel_pool_workers{pool="gpu",state="running"}': "1x120",
    },
    "TFModelQueueStuck": {"tfmodel_queue_stuck_seconds": "0+120x120"},
    "TFModelOldestPendingTooOld": {"tfmodel_oldest_pending_task_age_seconds": "0+120x120"},
    "TFModelCacheNotSynced": {"tfmodel_task_cache_synced": "0x120", "tfmodel_broker_up": "1x120"},
    "TFModelTrainersKilledByMemory": {'tfmodel_recoveries_total{cause="out_of_memory"}': "0x110 1x10"},
    "TFModelWorkersLost": {'tfmodel_recoveries_total{cause="worker_lost"}': "0x110 5x10"},
    "TFModelBrokerRestarts": {'tfmodel_recoveries_total{cause="broker_restarted"}': "0x110 5x10"},
    "TFModelFailures": {
        'tfmodel_tasks_ended_total{result="failed",failure_class="trainer",code="trainer_error"}': "0x110 1x10"
    },
    "TFModelManyBadFolders": {
        'tfmodel_tasks_ended_total{result="failed",failure_class="data",code="no_images"}': "0+1x120",
        'tfmodel_tasks_ended_total{result="done",failure_class="",code=""}': "0x120",
    },
    "TFModelDiskNearlyFull": {
        "tfmodel_data_root_free_bytes": "1500x120",
        "tfmodel_data_root_min_free_bytes": "500x120",
    },
    "TFModelDiskFull": {"tfmodel_data_root_free_bytes": "400x120", "tfmodel_data_root_min_free_bytes": "500x120"},
    "TFModelServerErrors": {'tfmodel_http_requests_total{route="/",method="POST",status="503"}': "0+5x120"},
    "TFModelSlowAnswers": {
        'tfmodel_http_request_duration_seconds_bucket{route="/",le="1"}': "0x120",
        'tfmodel_http_request_duration_seconds_bucket{route="/",le="5"}': "0+9x120",
        'tfmodel_http_request_duration_seconds_bucket{route="/",le="+Inf"}': "0+9x120",
    },
    "TFModelWebhooksFail": {'tfmodel_webhook_dead_letters{destination="website"}': "0x118 1x2"},
    "TFModelMessagesDropped": {'tfmodel_broker_dropped_messages_total{kind="bad_frame"}': "0+9x120"},
}
#: A service that is well.
WELL = {
    'up{job="tfmodel"}': "1x120",
    "tfmodel_broker_up": "1x120",
    'tfmodel_workers{state="free"}': "0x120",
    'tfmodel_workers{state="busy"}': "1x120",
    'tfmodel_pool_workers{pool="cpu",state="wanted"}': "1x120",
    'tfmodel_pool_workers{pool="cpu",state="running"}': "1x120",
    "tfmodel_queue_stuck_seconds": "0x120",
    "tfmodel_oldest_pending_task_age_seconds": "30x120",
    "tfmodel_task_cache_synced": "1x120",
    'tfmodel_recoveries_total{cause="handed_back"}': "0+1x120",
    'tfmodel_tasks_ended_total{result="done",failure_class="",code=""}': "0+3x120",
    'tfmodel_tasks_ended_total{result="failed",failure_class="data",code="no_images"}': "0+1x120",
    "tfmodel_data_root_free_bytes": "9000x120",
    "tfmodel_data_root_min_free_bytes": "500x120",
    'tfmodel_http_requests_total{route="/readyz",method="GET",status="503"}': "0+5x120",
    'tfmodel_http_request_duration_seconds_bucket{route="/",le="1"}': "0+9x120",
    'tfmodel_http_request_duration_seconds_bucket{route="/",le="+Inf"}': "0+9x120",
    'tfmodel_bad_messages_total{socket="requests"}': "0x120",
    'tfmodel_webhook_dead_letters{destination="website"}': "0x120",
    "tfmodel_webhooks_stuck": "0x120",
}


def rules() -> list[dict[str, Any]]:
    return [rule for group in msgspec.yaml.decode(ALERTS.read_bytes())["groups"] for rule in group["rules"]]


def promtool(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def fired(tmp_path: Path, series: dict[str, str]) -> set[str]:
    """The alerts that fire after four hours of these series."""
    absent = [{"eval_time": "4h", "alertname": rule["alert"], "exp_alerts": []} for rule in rules()]
    values = [{"series": _of_one_front_end(name), "values": each} for name, each in series.items()]
    test = {"interval": "2m", "input_series": values, "alert_rule_test": absent}
    file = tmp_path / "test.yml"
    file.write_bytes(msgspec.yaml.encode({"rule_files": [str(ALERTS)], "evaluation_interval": "2m", "tests": [test]}))
    done = promtool("test", "rules", str(file), folder=tmp_path)
    # Each alert is expected not to fire, so promtool names those that do.
    return set(re.findall(r"alertname: ?(\w+)", done.stdout + done.stderr))


def _of_one_front_end(series: str) -> str:
    name, _, labels = series.rstrip("}").partition("{")
    return f'{name}{{instance="tfmodel:2333"{"," if labels else ""}{labels}}}'


def test_promtool_reads_the_rules() -> None:
    done = promtool("check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", FIRING)
def test_each_alert_fires(alert: str, tmp_path: Path) -> None:
    assert alert in fired(tmp_path, FIRING[alert])


def test_no_alert_fires_while_the_service_is_well(tmp_path: Path) -> None:
    assert fired(tmp_path, WELL) == set()


def test_each_alert_has_a_test_and_a_row_in_the_operations_page() -> None:
    names = [rule["alert"] for rule in rules()]
    assert sorted(names) == sorted(FIRING)
    assert re.findall(r"^\| `(TFModel\w+)` \|", OPERATIONS.read_text(), re.MULTILINE) == names
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")


def test_the_panels_of_the_dashboard_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["targets"] and panel["title"] for panel in panels)


def test_promtool_reads_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    recorded = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yml"
    file.write_bytes(msgspec.yaml.encode({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
