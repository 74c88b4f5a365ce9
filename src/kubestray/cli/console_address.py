"""Where a browser finds the console."""

from __future__ import annotations

from kubestray.config import Address, Config


def console_address(config: Config, listening: Address) -> str:
    """Return the console's address without a slash at its end: ``console_url``, else where it listens."""
    scheme = "https" if config["tls_certificate"] else "http"
    return str(config["console_url"]).rstrip("/") or f"{scheme}://{listening.from_here}"
