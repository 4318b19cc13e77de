"""Terraform without providers: formatted, parsed, our own policy rules, and checkov where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import hcl2
import pytest

from settings import ROOT

FOLDER = ROOT / "infra" / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))
#: Actions on data: never on every resource.
DATA_ACTIONS = re.compile(
    r"^(s3:(Get|Put|Delete|List)|secretsmanager:|kms:(Decrypt|Generate)|redshift-data:(Execute|Batch)|sqs:|sagemaker:|iam:)"
)
#: Statements that may name every resource: what they do, and why AWS leaves no narrower choice, stands beside them.
WIDE = {"AccountAdministersTheKey", "LogsAndAlarmsUseTheKey", "ReadOwnStatements", "Trace", "AttachToTheNetwork",
        "PublicAccessOfTheAccount", "OwnMetrics", "RegistrySignIn",
        "EventBridgeSendsThroughTheKey"}  # fmt: skip


def plain(value: Any) -> Any:
    """python-hcl2 keeps the quotes of labels and strings in some versions."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if k != "__is_block__"}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.strip('"') if isinstance(value, str) else value


def parsed() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path in FILES:
        for kind, blocks in plain(hcl2.loads(path.read_text())).items():
            found.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
    return found


def blocks(kind: str, resource: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for entry in parsed().get(kind, []):
        for name, body in entry.get(resource, {}).items():
            out[name] = body
    return out


def statements() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, statement)
        for name, document in blocks("data", "aws_iam_policy_document").items()
        for statement in document.get("statement", [])
    ]


def test_formatted() -> None:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed: formatting not checked")
    done = subprocess.run(
        [program, "fmt", "-check", "-recursive", str(FOLDER)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_file_parses() -> None:
    assert len(FILES) >= 10
    assert {"resource", "data", "variable", "output", "terraform", "provider"} <= set(parsed())


def test_every_reference_is_declared() -> None:
    text = "\n".join(re.sub(r"(?m)^\s*#.*$|\s#\s.*$", "", p.read_text()) for p in FILES)
    found = parsed()
    declared = {f"{k}.{n}" for e in found["resource"] for k, v in e.items() for n in v}
    declared |= {f"data.{k}.{n}" for e in found["data"] for k, v in e.items() for n in v}
    variables = {n for e in found["variable"] for n in e}
    local = {n for e in found["locals"] for n in e}
    for m in re.finditer(r"(?<![\w.\"])(data\.)?(aws_\w+)\.(\w+)", text):
        assert f"{m[1] or ''}{m[2]}.{m[3]}" in declared, m[0]
    assert set(re.findall(r"\bvar\.(\w+)", text)) == variables, "used and declared variables are the same"
    assert set(re.findall(r"\blocal\.(\w+)", text)) <= local


def test_no_data_action_on_every_resource() -> None:
    for document, statement in statements():
        actions = statement["actions"]
        if statement.get("resources") == ["*"]:
            assert statement.get("sid") in WIDE, (document, actions)
            if document != "kms":
                assert not [
                    a
                    for a in actions
                    if DATA_ACTIONS.match(a)
                    and "redshift-data" not in a
                    and a != "s3:GetAccountPublicAccessBlock"
                ]
        if statement.get("effect") != "Deny" and document != "kms":
            assert not [a for a in actions if a.endswith(":*") or a == "*"], (document, actions)


def test_trust_stands_apart_from_permissions() -> None:
    for name, role in blocks("resource", "aws_iam_role").items():
        assert "data.aws_iam_policy_document.trust" in str(role["assume_role_policy"]), name
        assert "inline_policy" not in role and "managed_policy_arns" not in role
    trust = blocks("data", "aws_iam_policy_document")["trust"]["statement"]
    assert all(
        s["actions"] == ["sts:AssumeRole"] and "aws:SourceAccount" in str(s["condition"]) for s in trust
    )


def test_nothing_is_public() -> None:
    workgroup = blocks("resource", "aws_redshiftserverless_workgroup")["this"]
    assert workgroup["publicly_accessible"] is False and workgroup["enhanced_vpc_routing"] is True
    assert {"parameter_key": "require_ssl", "parameter_value": "true"} in workgroup["config_parameter"]
    assert blocks("resource", "aws_mwaa_environment")["this"]["webserver_access_mode"] == "PRIVATE_ONLY"
    access = blocks("resource", "aws_s3_bucket_public_access_block")["this"]
    assert all(
        access[k] is True
        for k in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    )
    for rule in blocks("resource", "aws_vpc_security_group_ingress_rule").values():
        assert "cidr_ipv4" not in rule and "referenced_security_group_id" in rule


def test_storage_is_versioned_encrypted_and_tls_only() -> None:
    names = {
        "aws_s3_bucket_versioning",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_ownership_controls",
    }
    for name in names:
        assert "local.buckets" in str(blocks("resource", name)["this"]["for_each"]), name
    assert "aws:SecureTransport" in str(blocks("data", "aws_iam_policy_document")["bucket"])


def test_no_secret_value_in_code_or_state() -> None:
    namespace = blocks("resource", "aws_redshiftserverless_namespace")["this"]
    assert namespace["manage_admin_password"] is True and "admin_user_password" not in namespace
    assert not blocks("resource", "aws_secretsmanager_secret_version")
    tracked = subprocess.run(["git", "ls-files", "infra"], cwd=ROOT, capture_output=True, text=True).stdout
    assert not re.search(r"tfstate|\.tfvars$|backend\.hcl$", tracked, re.M)


def test_cost_and_failure_are_watched() -> None:
    assert blocks("resource", "aws_budgets_budget") and blocks(
        "resource", "aws_redshiftserverless_usage_limit"
    )
    alarms = next(e["alarms"] for e in parsed()["locals"] if "alarms" in e)
    assert len(alarms) >= 5
    assert blocks("resource", "aws_sqs_queue")["deliveries"]["redrive_policy"]


def test_every_sender_may_send_and_use_the_queue_key() -> None:
    """A rule that targets an encrypted queue needs its key; a function with a dead-letter queue needs leave to send there."""
    documents = blocks("data", "aws_iam_policy_document")
    of_services: dict[str, set[str]] = {}
    for statement in documents["kms"]["statement"]:
        for principal in statement["principals"]:
            if principal["type"] == "Service":
                for service in principal["identifiers"]:
                    of_services.setdefault(service, set()).update(statement["actions"])
    queues = blocks("resource", "aws_sqs_queue")
    for target in blocks("resource", "aws_cloudwatch_event_target").values():
        queue = re.search(r"aws_sqs_queue\.(\w+)", str(target["arn"]))
        if queue and "aws_kms_key.data" in str(queues[queue[1]].get("kms_master_key_id")):
            assert {"kms:GenerateDataKey", "kms:Decrypt"} <= of_services.get("events.amazonaws.com", set())
    for function in blocks("resource", "aws_lambda_function").values():
        role = re.search(r"aws_iam_role\.(\w+)", str(function["role"]))
        for config in function.get("dead_letter_config", []):
            queue = re.search(r"aws_sqs_queue\.(\w+)", str(config["target_arn"]))
            assert role and queue
            assert any(
                "sqs:SendMessage" in s["actions"] and f"aws_sqs_queue.{queue[1]}.arn" in str(s["resources"])
                for s in documents[role[1]]["statement"]
            ), role[1]


def test_the_lambda_names_code_that_exists() -> None:
    config = blocks("resource", "aws_lambda_function")["loader"]["image_config"][0]
    module, _, function = config["command"][0].rpartition(".")
    assert f"def {function}(" in (ROOT / (module.replace(".", "/") + ".py")).read_text()


def test_every_exception_of_the_scan_says_why() -> None:
    skips = re.findall(r"checkov:skip=\w+(:?.*)", "\n".join(p.read_text() for p in FILES))
    assert skips and all(len(reason) > 20 for reason in skips)


@pytest.mark.slow
def test_checkov() -> None:
    program = os.environ.get("CHECKOV") or shutil.which("checkov")
    if not program:
        pytest.skip("checkov is not installed (uv tool install checkov): policy scan not run")
    done = subprocess.run(
        [program, "-d", str(FOLDER), "--framework", "terraform", "--quiet", "--compact", "-o", "json"],
        capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "CRITICAL"},
    )  # fmt: skip
    report = json.loads(done.stdout[done.stdout.index("{") :])
    failed = [(c["check_id"], c["resource"]) for c in report["results"]["failed_checks"]]
    assert not failed
    assert report["summary"]["passed"] > 200
