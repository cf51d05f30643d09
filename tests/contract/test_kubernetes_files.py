"""deploy/kubernetes and deploy/compose, held to the settings, the image and each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.curve import make_keys
from conf.settings import ROOT, Settings, load
from tests.contract.test_deploy_files import image_settings, values
from tests.waiting import TIMEOUT_S

KUBERNETES, COMPOSE = ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "compose"
SCHEMAS = "1.37.0"
Document = dict[str, Any]


def written() -> list[Document]:
    """All objects as they stand in the files."""
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    texts = [(KUBERNETES / name).read_text() for name in kustomization["resources"]]
    return [document for text in texts for document in yaml.safe_load_all(text)]


def pods_of(document: Document) -> Iterator[Document]:
    """The templates of the pods that an object makes."""
    spec = document.get("spec", {})
    groups = [spec, spec.get("headGroupSpec", {}), *spec.get("workerGroupSpecs", [])]
    yield from (group["template"] for group in groups if "template" in group)


def pods() -> list[tuple[str, Document]]:
    return [(document["metadata"]["name"], pod) for document in written() for pod in pods_of(document)]


def containers() -> list[tuple[str, Document]]:
    return [(each["name"], each) for _, pod in pods() for each in pod["spec"]["containers"]]


def container(name: str) -> Document:
    return next(each for found, each in containers() if found == name)


def shared_variables() -> dict[str, str]:
    lines = [line for line in (KUBERNETES / "settings.env").read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines if line)


def settings_in(name: str) -> Settings:
    """The settings with which a program starts in this container."""
    found = container(name)
    own = {each["name"]: each["value"] for each in found.get("env", [])}
    shared = shared_variables() if "envFrom" in found else {}
    given = {**{key: value for rest in values("ENV") for key, value in re.findall(r"(TFMODEL_\w+)=(\S+)", rest)}}
    variables = {**given, **shared, **own}
    return load({key: value for key, value in variables.items() if key.startswith("TFMODEL_")})


def named(kind: str, name: str) -> Document:
    return next(each for each in written() if (each["kind"], each["metadata"]["name"]) == (kind, name))


# ---- the files as a whole ----


def test_kustomize_renders_all_and_every_object_fits_its_schema() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; it renders the files of deploy/kubernetes")
    schemas = pytest.importorskip(
        "kubernetes_validate",
        reason="kubernetes-validate is not installed; pip install -r requirements-cluster-dev.txt",
    )
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    ).stdout
    documents = list(yaml.safe_load_all(rendered))
    kinds = [document["kind"] for document in documents]
    assert len(documents) == len(written()) + 1, "the ConfigMap of settings.env is added"
    for document in documents:
        assert document["metadata"].get("namespace", "tfmodel") == "tfmodel"
        for pod in pods_of(document):
            whole = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": {"name": "pod", **pod["metadata"]}}
            schemas.validate(whole, SCHEMAS, strict=True)
        if document["kind"] != "RayCluster":  # Its schema is KubeRay's.
            schemas.validate(document, SCHEMAS, strict=True)
    config = next(document for document in documents if document["kind"] == "ConfigMap")["metadata"]["name"]
    assert config != "tfmodel-settings", "a change of the settings must start the programs anew"
    assert set(re.findall(r"name: (tfmodel-settings\S*)", rendered)) == {config}
    assert set(re.findall(r"image: (\S+)", rendered)) == {"registry.example.com/tfmodel:0.1.0"}
    assert kinds.count("NetworkPolicy") == 4


def test_no_secret_stands_in_the_files() -> None:
    for file in (*KUBERNETES.iterdir(), *COMPOSE.iterdir()):
        found = re.search(r"(?i)(secret_access_key|password|TFMODEL_KEYS)\s*[:=]\s*[^…\s]", file.read_text())
        assert found is None, file.name
    assert "Secret" not in {document["kind"] for document in written()}


# ---- pods ----


@pytest.mark.parametrize(("name", "pod"), pods())
def test_a_pod_has_no_rights_and_no_variables_of_services(name: str, pod: Document) -> None:
    spec = pod["spec"]
    # Kubernetes would set TFMODEL_BROKER_PORT and others, which are no settings.
    assert spec["enableServiceLinks"] is False
    user, group = map(int, values("USER")[-1].split(":"))
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (user, group)
    assert spec["securityContext"]["runAsNonRoot"] is True
    for each in (*spec.get("initContainers", []), *spec["containers"]):
        assert each["image"] == "tfmodel"
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(("name", "pod"), pods())
def test_every_mount_has_its_volume(name: str, pod: Document) -> None:
    volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
    claimed = named("StatefulSet", name)["spec"]["volumeClaimTemplates"] if name == "tfmodel-broker" else []
    volumes |= {claim["metadata"]["name"] for claim in claimed}
    used = {
        mount["name"]
        for each in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"])
        for mount in each["volumeMounts"]
    }
    assert used == volumes


@pytest.mark.parametrize("name", ["broker", "front-end", "controller", "ray-worker"])
def test_every_variable_names_a_setting_and_state_lies_in_a_volume(name: str) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    settings = settings_in(name)
    mounts = {mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert str(image_settings().home) in mounts
    assert str(settings.home) in mounts
    assert "/tmp" in mounts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broker", ["-m", "broker"]),
        ("front-end", ["server.py", "run"]),
        ("controller", ["-m", "cluster", "up"]),
    ],
)
def test_the_commands_are_those_of_the_programs(name: str, words: list[str]) -> None:
    assert container(name)["command"] == ["python", *words]
    assert (ROOT / words[-1] / "__main__.py").is_file() or (ROOT / words[0]).is_file() or words[1] == "cluster"


# ---- ports, addresses and keys ----


def test_the_ports_are_those_of_the_settings() -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    broker = settings_in("broker").broker
    ports = {
        **{"web": broker.web_port, "worker": broker.worker_port},
        **{"publish": broker.publish_port, "collect": broker.collect_port},
    }
    assert {each["name"]: each["containerPort"] for each in container("broker")["ports"]} == ports
    assert {each["name"]: each["port"] for each in named("Service", "tfmodel-broker")["spec"]["ports"]} == ports
    assert container("broker")["readinessProbe"]["tcpSocket"]["port"] in ports
    web = settings_in("front-end").web
    assert container("front-end")["ports"] == [{"name": "http", "containerPort": web.port}]
    assert named("Service", "tfmodel")["spec"]["ports"] == [{"name": "http", "port": web.port}]
    policy = named("NetworkPolicy", "broker")["spec"]["ingress"]
    opened = [{port["port"] for port in rule["ports"]} for rule in policy]
    assert opened == [{ports["web"], ports["publish"]}, {ports["worker"], ports["collect"]}]
    assert named("NetworkPolicy", "callers")["spec"]["ingress"][0]["ports"] == [{"port": web.port}]


def test_programs_find_the_broker_by_the_name_of_its_pod() -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    broker = named("StatefulSet", "tfmodel-broker")
    hosts = {f"tfmodel-broker-{number}.tfmodel-broker" for number in range(broker["spec"]["replicas"])}
    for name in ("front-end", "controller", "ray-worker"):
        assert set(settings_in(name).broker.addresses) == hosts
    assert settings_in("broker").broker.host == "0.0.0.0"
    assert broker["spec"]["serviceName"] == named("Service", "tfmodel-broker")["metadata"]["name"]
    assert named("Service", "tfmodel-broker")["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("name", ["tfmodel-broker", "tfmodel-front-end", "tfmodel"])
def test_the_keys_lie_where_the_programs_look_for_them(name: str, tmp_path: Path) -> None:
    make_keys(tmp_path / "curve")
    made = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.key*")}
    spec = next(pod["spec"] for found, pod in pods() if found == name)
    secret = next(volume for volume in spec["volumes"] if volume["name"] == "secret")["secret"]
    paths = {item["path"] for item in secret["items"]}
    assert paths <= made
    assert {item["key"] for item in secret["items"]} == {Path(path).name for path in paths}
    roles = {"tfmodel-broker": {"broker", "front_end", "worker"}, "tfmodel-front-end": {"front_end"}}
    secrets = {Path(path).stem for path in paths if path.endswith("_secret")}
    assert secrets == roles.get(name, {"front_end", "worker"}), "a program gets no key that it does not need"


def test_probes_ask_under_a_name_that_is_always_allowed() -> None:
    front_end = container("front-end")
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        get = front_end[probe]["httpGet"]
        assert (get["path"], get["port"]) == (path, "http")
        assert get["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


# ---- Ray ----


def test_every_pool_fits_into_a_pod_of_a_worker_group() -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    pools = settings_in("controller").cluster.pools
    groups = {group["groupName"]: group for group in named("RayCluster", "tfmodel")["spec"]["workerGroupSpecs"]}
    assert groups.keys() == {pool.name for pool in pools}
    for pool in pools:
        group = groups[pool.name]
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert pool.num_cpus <= float(limits["cpu"])
        assert pool.memory_mb * 2**20 <= int(limits["memory"].removesuffix("Gi")) * 2**30
        assert pool.num_gpus <= float(limits.get("nvidia.com/gpu", 0))
        assert group["maxReplicas"] >= pool.max_workers, "each worker takes a whole pod here"
        assert group["minReplicas"] == 0


def test_ray_is_the_version_that_is_installed() -> None:
    pinned = re.search(r"(?m)^ray(?:\[\w+\])?==(\S+)", (ROOT / "requirements-cluster.txt").read_text())
    assert pinned is not None
    assert named("RayCluster", "tfmodel")["spec"]["rayVersion"] == pinned[1]


# ---- two machines ----


@pytest.fixture
def machines() -> tuple[Document, Document]:
    service, worker = (yaml.safe_load((COMPOSE / name).read_text()) for name in ("service.yaml", "worker.yaml"))
    return service["services"]["tfmodel"], worker["services"]["worker"]


def test_workers_reach_the_two_ports_that_they_use(machines: tuple[Document, Document]) -> None:
    broker = image_settings().broker
    published = [port.rsplit(":", 2)[-2:] for port in machines[0]["ports"]]
    expected = (image_settings().web.port, broker.worker_port, broker.collect_port)
    assert published == [[str(port), str(port)] for port in expected]
    assert machines[0]["ports"][0].startswith("127.0.0.1:"), "HTTP is for this machine"


def test_both_machines_run_the_same_image_with_the_same_rights(machines: tuple[Document, Document]) -> None:
    volumes = set(json.loads(values("VOLUME")[-1]))
    for each in machines:
        assert (COMPOSE / each["build"]["context"] / each["build"]["dockerfile"]).resolve() == ROOT / "Containerfile"
        assert (ROOT / each["build"]["args"]["REQUIREMENTS"]).is_file()
        assert each["cap_drop"] == ["ALL"]
        assert each["read_only"] is True
        assert {re.sub(r"^.*:", "", volume) for volume in each["volumes"]} == volumes
        load({**each["environment"], "TFMODEL_WEB_DATA_ROOTS": "/srv/projects"})
    assert machines[1]["command"] == ["python", "-m", "trainer_worker"]
    assert machines[0]["healthcheck"]["test"][1:] == json.loads(values("HEALTHCHECK")[-1].partition("CMD ")[2])
