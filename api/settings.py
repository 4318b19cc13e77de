"""Settings of the API, from the environment.

``API_TOKENS``: comma-separated ``brand:token`` pairs (a bare token reads ``BRAND_ID``); each token at least 20
characters. ``API_RATE_PER_MINUTE``: requests a token may make in a minute (default 120).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from settings import SettingsError, load_settings

_TOKEN = re.compile(r"^[A-Za-z0-9._~+/=-]{20,200}$")
_BRAND = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


@dataclass(frozen=True)
class ApiSettings:
    """Tokens are kept as digests only, each with the one brand it may read."""

    serving_path: Path
    brands_by_digest: dict[str, str] = field(repr=False)
    rate_per_minute: int

    def brand_of(self, token: str) -> str | None:
        """The brand a token may read; compared in constant time, every digest looked at."""
        given = _digest(token)
        found = None
        for digest, brand in self.brands_by_digest.items():
            if hmac.compare_digest(digest, given):
                found = brand
        return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def load_api_settings(env: Mapping[str, str] | None = None) -> ApiSettings:
    """Read and check the settings.

    Raises:
        SettingsError: no token, a weak token, or a bad rate; one line that names the variable.
    """
    env = os.environ if env is None else env
    base = load_settings(env)
    brands: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in env.get("API_TOKENS", "").split(","))):
        brand, _, token = part.rpartition(":")
        brand = brand or base.brand_id
        if not _BRAND.match(brand):
            raise SettingsError(
                "API_TOKENS: each entry is brand:token (allowed brand: lower-case letters, digits, _ and -)"
            )
        if not _TOKEN.match(token):
            raise SettingsError("API_TOKENS: a token needs 20 to 200 letters, digits or . _ ~ + / = -")
        brands[_digest(token)] = brand
    if not brands:
        raise SettingsError(
            "API_TOKENS: at least one brand:token is needed (for example from: openssl rand -hex 24)"
        )
    rate = env.get("API_RATE_PER_MINUTE") or "120"
    if not rate.isdigit() or not 1 <= int(rate) <= 100_000:
        raise SettingsError(f"API_RATE_PER_MINUTE: {rate!r} is not allowed (allowed: 1 to 100000)")
    return ApiSettings(base.serving_path, brands, int(rate))
