"""Smart HTTP over TLS for private repositories, on loopback, with certificates of its own.

It asks for a user and a token, hands what is allowed to git's own `git http-backend`, remembers
what it was asked, and can be told to answer a name in a hostile way (`tests/githostile.py`).
"""

import base64
import datetime
import gzip
import ipaddress
import os
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gitrepos import GIT_UID, Repositories


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of our own, and a server's certificate for names of loopback."""

    authority: Path
    server: Path

    @classmethod
    def make(cls, folder: Path, *names: str) -> "Certificates":
        folder.mkdir()
        made = cls(folder / "ca.pem", folder / "server.pem")
        key, name = ec.generate_private_key(ec.SECP256R1()), _common_name("Rostrum test CA")
        authority = _certificate(name, name, key, key, None)
        made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_common_name("localhost"), name, own, key, list(names))
        made.server.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return made


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    names: list[str] | None,
) -> x509.Certificate:
    """A certificate for a day; `names` None makes it an authority's."""
    moment = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(days=2))
        .not_valid_after(moment + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
    )
    if names is not None:
        found = [*map(x509.DNSName, names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return builder.sign(signer, hashes.SHA256())


@dataclass(frozen=True)
class Seen:
    """One request that reached a server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """One request: a hostile answer if the name has one, else git's own, after the token."""

    protocol_version = "HTTP/1.1"
    server: "HttpsServer"

    def do_GET(self) -> None:
        self._answered(b"")

    def do_POST(self) -> None:
        self._answered(self._body())

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at `seen`."""

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; names of headers are written with _ for -."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answered(self, body: bytes) -> None:
        server = self.server
        seen = Seen(self.command, self.path, dict(self.headers.items()), body)
        server.seen.append(seen)
        name = self.path.lstrip("/").partition("/")[0].partition("?")[0]
        try:
            if name in server.hostile:
                server.hostile[name](self, seen)
            elif self.headers.get("Authorization") != server.expected(name):
                self.reply(401, WWW_Authenticate='Basic realm="git"')
            else:
                self._git(body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(64), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline(8)
            self.rfile.readline(8)
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _git(self, body: bytes) -> None:
        """What `git http-backend` says to it."""
        path, _, query = self.path.partition("?")
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            timeout=60,
            check=False,
            user=GIT_UID,
            group=GIT_UID,
            extra_groups=[],
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_PROJECT_ROOT": str(self.server.repositories.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": "team",
                "REMOTE_ADDR": "127.0.0.1",
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(fields.pop("Status", "200 OK").split()[0])
        self.reply(status, content, **fields)


Hostile = Callable[[Handler, Seen], None]


class HttpsServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Smart HTTP over TLS for private repositories; it remembers what it was asked."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, repositories: Repositories, certificates: Certificates) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = repositories
        self.certificates = certificates
        self.tokens: dict[str, tuple[str, str]] = {}
        self.hostile: dict[str, Hostile] = {}
        self.seen: list[Seen] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def start(self) -> "HttpsServer":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it; nobody listens any more."""
        self.shutdown()
        self._thread.join(timeout=30)
        self.server_close()

    def url(self, name: str, *, host: str = "localhost") -> str:
        """The address of a repository."""
        return f"https://{host}:{self.port}/{name}"

    def allow(self, name: str, *, user: str, token: str) -> None:
        """Let this user read this repository; one that nobody was allowed is public."""
        self.tokens[name] = (user, token)

    def expected(self, name: str) -> str | None:
        """The header that opens a repository."""
        if name not in self.tokens:
            return None
        pair = ":".join(self.tokens[name]).encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]  # the base types the socket more widely
        """Shake hands in the request's own thread, so that a slow one stops nobody."""
        request.settimeout(60)
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        with closing(secured):
            super().finish_request(secured, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that goes away is part of the tests."""
