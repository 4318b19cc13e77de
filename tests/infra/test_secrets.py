"""No secret in any version of any file of the git history; dependencies come from one index, by hash."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from settings import ROOT

#: What a leaked credential looks like. Each has a sample below, so that a broken pattern fails.
PATTERNS = {
    "AWS access key id": (rb"\b(AKIA|ASIA)[0-9A-Z]{16}\b", b"AKIA" + b"ABCDEFGHIJKLMNOP"),
    "private key": (rb"-----BEGIN (?:RSA |EC |OPENSSH |DSA |PGP )?PRIVATE KEY", b"-----BEGIN RSA " + b"PRIVATE KEY-----"),
    "GitHub token": (rb"\bgh[pousr]_[A-Za-z0-9]{36}\b", b"ghp_" + b"a" * 36),
    "Slack token": (rb"\bxox[baprs]-[0-9A-Za-z-]{20,}", b"xoxb-" + b"1" * 24),
    "Google API key": (rb"\bAIza[0-9A-Za-z_-]{35}\b", b"AIza" + b"a" * 35),
    "JWT": (rb"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}", b"eyJ" + b"a" * 20 + b".eyJ" + b"b" * 20 + b"." + b"c" * 30),
    "login in an address": (rb"[a-z][a-z0-9+]{2,12}://(?!user:password@)[^/?\s:@\"'{}$<>%]+:[^/?\s:@\"'{}$<>%]{6,}@[a-z0-9]", b"postgresql://" + b"user:hunter22@db"),
    "AWS secret key": (rb"(?i)aws_secret_access_key[\"']?\s*[:=]\s*[\"'][A-Za-z0-9/+]{40}[\"']", b"aws_secret_access_key = '" + b"a" * 40 + b"'"),
}  # fmt: skip


def history() -> list[tuple[str, bytes]]:
    """Every version of every text file that git holds, with a path that had it."""
    git = ["git", "-C", str(ROOT)]
    done = subprocess.run([*git, "rev-list", "--objects", "--all"], capture_output=True, text=True)
    if done.returncode or not done.stdout:
        pytest.skip("no git history here (an unpacked archive): history not scanned")
    named = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    fed = subprocess.run(
        [*git, "cat-file", "--batch"], input="\n".join(named).encode(), capture_output=True
    ).stdout
    found, at = [], 0
    while at < len(fed):
        end = fed.index(b"\n", at)
        identifier, kind, size = fed[at:end].decode().split()
        body = fed[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        if kind == "blob" and b"\0" not in body[:8000]:
            found.append((named[identifier], body))
    return found


#: A plain word that stands in every match: looked for first, because most files have none.
HINTS = {
    "AWS access key id": (b"AKIA", b"ASIA"), "private key": (b"PRIVATE KEY",), "Slack token": (b"xox",), "Google API key": (b"AIza",),
    "GitHub token": (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), "JWT": (b".eyJ",), "login in an address": (b"@",),
    "AWS secret key": (b"secret_access_key", b"SECRET_ACCESS_KEY"),
}  # fmt: skip


def leaks(path: str, body: bytes) -> list[str]:
    return [
        f"{name} in {path}"
        for name, (pattern, _) in PATTERNS.items()
        if any(hint in body for hint in HINTS[name]) and re.search(pattern, body)
    ]


@pytest.mark.parametrize("name", list(PATTERNS))
def test_every_pattern_finds_its_sample(name: str) -> None:
    assert leaks("sample", b"x " + PATTERNS[name][1] + b" y") == [f"{name} in sample"]


def test_no_secret_in_the_history() -> None:
    versions = history()
    assert len(versions) > 50
    assert not [leak for path, body in versions for leak in leaks(path, body)]


def test_no_private_file_is_tracked() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "log", "--all", "--pretty=", "--name-only"], capture_output=True, text=True
    ).stdout
    private = re.compile(r"(^|/)(\.env|\.data/.*|.*\.tfstate.*|.*\.tfvars|.*\.pem|id_rsa.*|pii_hash_key)$")
    assert not [name for name in set(listed.splitlines()) if private.search(name)]


def test_every_dependency_is_locked_by_hash_from_the_index() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    for package in lock["package"]:
        source = package["source"]
        if source.get("virtual") or source.get("editable"):
            continue
        assert set(source) == {"registry"}, f"{package['name']} comes from {source}"
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files and all(f["hash"].startswith("sha256:") for f in files), package["name"]
