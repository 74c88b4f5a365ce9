"""TLS of listeners: a certificate, its key, and the authority that those of clients have to be from."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from kubestray.model.errors import UsageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files; with ``client_ca`` a client without a certificate of it is refused."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def check(self) -> None:
        """Raise UsageError if the files are no certificate with its key; log if it is not valid now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except (OSError, ssl.SSLError) as error:
            files = f"tls_certificate {self.certificate}, tls_key {self.key}"
            files += f", tls_client_ca {self.client_ca}" if self.client_ca else ""
            raise UsageError(f"{files}: cannot be used: {error}") from error
        self._tell_validity()

    def _tell_validity(self) -> None:
        """Log if the certificate is not valid now: clients refuse it, and only they hear why."""
        try:
            found = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (OSError, ValueError) as error:
            log.warning("%s: from when to when it is valid cannot be read: %s", self.certificate, error)
            return
        now, first, last = datetime.now(UTC), found.not_valid_before_utc, found.not_valid_after_utc
        if now > last:
            log.warning(
                "the certificate %s expired on %s: senders and browsers refuse it; renew the file, "
                "which is read without a restart",
                *(self.certificate, last.isoformat()),
            )
        elif now < first:
            log.warning(
                "the certificate %s is not valid before %s: senders and browsers refuse it; "
                "look at the clock, or renew the file, which is read without a restart",
                *(self.certificate, first.isoformat()),
            )

    def for_http(self) -> dict[str, Any]:
        """Return the settings of uvicorn; files that change are read again for new connections."""
        settings: dict[str, Any] = {
            "ssl_certfile": str(self.certificate),
            "ssl_keyfile": str(self.key),
            "ssl_context_factory": lambda _, make: self._renewed(make),
        }
        if self.client_ca is not None:
            settings |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return settings

    def _renewed(self, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Return a context whose connections use what the files hold when they begin.

        Files that are no pair, as while they are being replaced, leave what was used before.
        """
        first = current = make()
        read = self._versions()

        def renew(connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
            nonlocal current, read
            try:
                if (found := self._versions()) != read:
                    current, read = make(), found
                    log.info("the certificate %s was read again", self.certificate)
                    self._tell_validity()
            except (OSError, ssl.SSLError) as error:
                log.warning("%s stays as it was read before: %s", self.certificate, error)
            connection.context = current

        first.sni_callback = renew
        return first

    def _versions(self) -> list[tuple[int, int, int]]:
        files = (path.stat() for path in (self.certificate, self.key, self.client_ca) if path is not None)
        return [(file.st_mtime_ns, file.st_size, file.st_ino) for file in files]

    def for_grpc(self) -> Any:
        """Return the credentials of a gRPC server; files that change are read again for new connections."""
        import grpc

        def read() -> Any:
            pair = (self.key.read_bytes(), self.certificate.read_bytes())
            authority = self.client_ca.read_bytes() if self.client_ca is not None else None
            return grpc.ssl_server_certificate_configuration([pair], authority)

        return grpc.dynamic_ssl_server_credentials(
            read(), read, require_client_authentication=self.client_ca is not None
        )

    def without_clients(self) -> Tls:
        """Return the same without asking clients for a certificate: people's browsers have none."""
        return Tls(self.certificate, self.key)
