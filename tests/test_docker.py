"""The container files agree with each other, with set-up and with the pinned versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(path for path in DOCKER.glob("Dockerfile.*") if path.suffix != ".dockerignore")


def _compose() -> dict[str, Any]:
    loaded = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def _kubernetes() -> list[dict[str, Any]]:
    files = sorted((DOCKER / "kuberay").glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_is_set_up_as_a_checkout_is(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert re.search(r"^RUN .*\bmake setup( STACK=--gpu)?$", text, re.MULTILINE), (
        "a second way to install grew"
    )
    assert ("STACK=--gpu" in text) == (dockerfile.suffix == ".gpu")
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE), "the image runs as root"


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_every_line_of_an_image_is_an_instruction(dockerfile: Path) -> None:
    joined = re.sub(r"\\\n", " ", dockerfile.read_text())
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "CMD"}
    assert not [line for line in lines if line.split()[0] not in known]
    assert lines[0].startswith("FROM python:3.11")


def test_an_image_leaves_out_what_git_ignores() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line}
    for dockerfile in DOCKERFILES:
        left_out = set(dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().splitlines())
        assert ignored - {line.removeprefix("**/") for line in left_out} == set(), dockerfile.name


def test_compose_has_a_head_workers_and_a_client_on_one_workspace() -> None:
    compose = _compose()
    services = compose["services"]
    assert set(services) == {"head", "worker", "submit"}
    known = {"image", "build", "init", "shm_size", "volumes", "networks", "command"}
    known |= {"ports", "healthcheck", "depends_on", "deploy", "profiles", "security_opt", "cap_drop"}
    for name, service in services.items():
        assert set(service) <= known, name
        assert service["volumes"] == ["workspace:/workspace"], (
            f"{name} would not see the shards of the others"
        )
        assert set(service.get("depends_on", {})) <= set(services)
    assert (DOCKER / services["head"]["build"]["context"]).resolve() == ROOT
    assert {"workspace"} == set(compose["volumes"])


def test_compose_keeps_the_job_port_on_this_host() -> None:
    ports = [port for service in _compose()["services"].values() for port in service.get("ports", [])]
    assert ports, "nobody could submit from the host"
    assert all(port.startswith("127.0.0.1:") for port in ports), "anyone who reaches the port runs code"


def test_commands_name_verbs_and_pipelines_that_exist() -> None:
    commands = [service["command"] for service in _compose()["services"].values()]
    commands += [job["spec"]["entrypoint"] for job in _kubernetes() if job["kind"] == "RayJob"]
    verbs = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    for command in commands:
        for verb in re.findall(r"\bfactory (\w+)", command):
            assert verb in verbs, f"'{command}' names no verb of factory"
        for pipeline in re.findall(r"pipelines/[\w.-]+\.yaml", command):
            assert (ROOT / pipeline).is_file(), f"'{command}' names no pipeline of the project"


def test_kubernetes_manifests_agree_with_the_pinned_ray_and_with_each_other() -> None:
    cluster = next(d for d in _kubernetes() if d["kind"] == "RayCluster")
    job = next(d for d in _kubernetes() if d["kind"] == "RayJob")
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert cluster["spec"]["rayVersion"] == pinned[1]
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    claim = next(d for d in _kubernetes() if d["kind"] == "PersistentVolumeClaim")["metadata"]["name"]
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        claims = [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if v["name"] == "workspace"]
        assert claims == [claim]
        mounts = [
            mount["mountPath"] for container in pod["containers"] for mount in container["volumeMounts"]
        ]
        assert mounts == ["/workspace"], "a node would not see the shards of the others"


def _pods() -> list[dict[str, Any]]:
    spec = next(d for d in _kubernetes() if d["kind"] == "RayCluster")["spec"]
    return [group["template"]["spec"] for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]]


def test_no_container_gains_rights() -> None:
    for name, service in _compose()["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    for pod in _pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_container_that_runs_rows_holds_a_token_of_the_cluster() -> None:
    for pod in _pods():
        assert pod["automountServiceAccountToken"] is False
        tokens = {volume["name"] for volume in pod["volumes"] if "projected" in volume}
        for container in pod["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert not mounted & tokens, f"{container['name']} can act on the cluster"


def test_only_the_cluster_and_its_operator_reach_the_ports_that_run_code() -> None:
    policy = next(d for d in _kubernetes() if d["kind"] == "NetworkPolicy")["spec"]
    cluster = next(d for d in _kubernetes() if d["kind"] == "RayCluster")["metadata"]["name"]
    assert policy["podSelector"] == {"matchLabels": {"ray.io/cluster": cluster}}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    for rule in policy["ingress"]:
        assert rule["from"], "a rule without a source lets in everyone"
        assert all("podSelector" in source for source in rule["from"]), "a whole namespace may enter"
    outside = [to["ipBlock"] for rule in policy["egress"] for to in rule.get("to", []) if "ipBlock" in to]
    assert outside
    assert all("169.254.0.0/16" in block["except"] for block in outside), "the metadata service is in reach"
