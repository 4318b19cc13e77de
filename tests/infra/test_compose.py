"""docker-compose.yml and the Dockerfile: legal by the compose specification, and hardened. No Docker engine is needed."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import compose_spec
import pytest
import yaml

from settings import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:-([^}]*)|:\?[^}]*)?\}")


def document(env: dict[str, str] | None = None) -> dict[str, Any]:
    """The file with its variables filled in and its anchors merged."""

    def value(m: re.Match[str]) -> str:
        known = {**dict.fromkeys(required(), "s3cret-of-the-test"), **(env or {})}
        return known.get(m[1], m[3] or "")

    return dict(yaml.safe_load(_VARIABLE.sub(value, TEXT)))


def required() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", TEXT))


def check(compose: dict[str, Any]) -> None:
    compose_spec.PyOptions().from_yaml(yaml.safe_dump(compose)).validate()


def test_legal_by_the_specification() -> None:
    check(document())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s["redis"].update(healthchek={}),
        lambda s: s["redis"]["healthcheck"].update(retries=[1]),
        lambda s: s["airflow-init"]["depends_on"]["redis"].update(condition="service_happy"),
    ],
)
def test_the_check_can_fail(spoil: Callable[[dict[str, Any]], None]) -> None:
    broken = copy.deepcopy(document())
    spoil(broken["services"])
    with pytest.raises(ValueError, match="services"):
        check(broken)


def test_every_service_is_there() -> None:
    assert set(document()["services"]) >= {
        "postgres", "redis", "storage", "airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor",
        "airflow-triggerer", "airflow-worker", "dashboard", "api",
    }  # fmt: skip
    assert document()["services"]["airflow-worker"]["deploy"]["replicas"] == 2


def test_every_lasting_service_has_a_health_check() -> None:
    for name, service in document()["services"].items():
        if name != "airflow-init":
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name


def test_no_secret_has_a_default() -> None:
    names = {m[1] for m in _VARIABLE.finditer(TEXT)}
    secret = {n for n in names if re.search(r"PASSWORD|KEY|SECRET|USER|TOKEN", n)}
    assert secret <= required()
    assert not re.search(r"(?i)(password|secret|fernet_key)\w*:\s*[\"']?[a-z0-9]{4,}[\"']?\s*$", TEXT, re.M)


def test_every_variable_is_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    missing = [n for n in sorted(required()) if not re.search(rf"(?m)^#? ?{n}=", example)]
    assert missing == [], missing


def test_the_landing_bucket_is_made_before_anything_reads_it() -> None:
    services = document()["services"]
    assert "python -m infra.landing_bucket &&" in services["airflow-init"]["command"][-1]
    assert services["airflow-worker"]["depends_on"]["airflow-init"]["condition"] == (
        "service_completed_successfully"
    )


def test_images_are_pinned_and_there_is_one_of_ours() -> None:
    ours = set()
    for name, service in document()["services"].items():
        if "build" in service:
            ours.add(service["image"])
        else:
            tag = service["image"].rsplit(":", 1)[1]
            assert re.match(r"\d+\.\d+", tag), (name, service["image"])
    assert len(ours) == 1
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("FROM"):
            assert re.search(r":\d+\.\d+\.\d+-", line), line


def test_containers_of_ours_cannot_gain_rights() -> None:
    for name, service in document()["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged")
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "only this host; a reverse proxy with TLS stands in front"
        if "build" in service:
            assert (
                service["user"] == "10001:10001" and service["read_only"] and service["cap_drop"] == ["ALL"]
            ), name


def test_the_image_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER")]
    assert users == ["USER 10001:10001"] and lines.index(users[0]) > max(
        i for i, x in enumerate(lines) if x.startswith("COPY")
    )
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def test_the_image_holds_what_its_services_run_and_nothing_private() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            copied.update(line.split()[1:-1])
    assert copied <= allowed
    for name in copied:
        assert (ROOT / name).exists(), name
    assert not {".env", ".git", ".data", "tests", "uv.toml"} & allowed
    for service in document()["services"].values():
        words = service.get("command") or []
        for word in words:
            if word.endswith(".py"):
                assert word.split("/")[0] in copied, word


def test_reading_services_cannot_write_the_data() -> None:
    services = document()["services"]
    assert services["dashboard"]["volumes"] == services["api"]["volumes"] == ["data:/data:ro"]
