"""Who may look. Sign-in is done by a reverse proxy or by an OpenID Connect provider, never by this code.

``DASHBOARD_AUTH``: ``none`` (a laptop), ``proxy`` (a proxy that signs readers in names them in a header and
proves itself with a shared secret), or ``oidc`` (Streamlit's own sign-in; its settings are in secrets.toml).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping

from settings import SettingsError

MODES = ("none", "proxy", "oidc")
USER_HEADER = "X-Forwarded-User"
SECRET_HEADER = "X-Proxy-Secret"  # noqa: S105 - the name of a header, not a secret


def mode(env: Mapping[str, str] | None = None) -> str:
    """The configured mode.

    Raises:
        SettingsError: an unknown mode, or ``proxy`` without a shared secret of at least 16 characters.
    """
    env = os.environ if env is None else env
    chosen = env.get("DASHBOARD_AUTH") or "none"
    if chosen not in MODES:
        raise SettingsError(f"DASHBOARD_AUTH: {chosen!r} is not allowed (allowed: {', '.join(MODES)})")
    if chosen == "proxy" and len(env.get("DASHBOARD_PROXY_SECRET", "")) < 16:
        raise SettingsError(
            "DASHBOARD_PROXY_SECRET: at least 16 characters are needed when DASHBOARD_AUTH=proxy"
        )
    return chosen


def proxy_user(headers: Mapping[str, str], env: Mapping[str, str] | None = None) -> str | None:
    """The reader whom the proxy vouches for; ``None`` when the request did not come through it."""
    env = os.environ if env is None else env
    given = {name.lower(): value for name, value in headers.items()}
    secret = given.get(SECRET_HEADER.lower(), "").encode()
    if not hmac.compare_digest(secret, env.get("DASHBOARD_PROXY_SECRET", "").encode()) or not secret:
        return None
    user = given.get(USER_HEADER.lower(), "").strip()
    return user if user and len(user) <= 200 and user.isprintable() else None
