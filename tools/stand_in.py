"""Stands in for the release page: to rehearse a release, pip gets the wheel of this machine from GitHub's address.

A proxy of HTTPS. For `github.com` it shows a certificate of its own and answers from a folder; any other host it
refuses and notes. So the set-up cell of a lab runs as it is, hash included, and what else asks for a network is known.
"""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

HOST = "github.com"
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # where pip may look, in turn


@dataclass(frozen=True)
class Seen:
    """What was asked for, as it comes: paths that were served, paths that were not there, hosts that were refused."""

    served: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def release_page(page: Path, work: Path) -> Iterator[tuple[dict[str, str], Seen]]:
    """Serve the files of a folder as the release page; gives the environment that leads pip there, and what was asked.

    A file is known by its name, whatever the rest of its path. `openssl` writes the certificate to `work`.
    """
    key, certificate = work / "key.pem", work / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    seen = Seen()

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            host = self.path.rsplit(":", 1)[0]
            if host != HOST:
                seen.refused.append(host)
                return self.send_error(403, f"this stands in for {HOST} alone")
            self.send_response(200)
            self.end_headers()
            try:
                self.connection = tls.wrap_socket(self.connection, server_side=True)
            except OSError:  # whoever asks does not trust the certificate, and says so itself
                self.close_connection = True
                return None
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
            self.close_connection = False  # the request itself comes next, enciphered
            return None

        def do_GET(self) -> None:
            if self.path.startswith("http:"):  # a proxy is asked for such addresses in full
                seen.refused.append(urlsplit(self.path).hostname or "")
                return self.send_error(403)
            file = page / Path(urlsplit(self.path).path).name
            if not file.is_file():
                seen.missing.append(self.path)
                return self.send_error(404)
            seen.served.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            self.wfile.write(file.read_bytes())
            return None

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing: `seen` knows."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        environment = os.environ | dict.fromkeys(PROXIES, address) | dict.fromkeys(CERTIFICATES, str(certificate))
        yield environment | {"NO_PROXY": "", "no_proxy": ""}, seen
        server.shutdown()
