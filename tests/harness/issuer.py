"""An issuer of JWTs: signs them, and serves its keys."""

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "parley"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
# One key of each algorithm, generated once: an RSA key takes a tenth of a second.
KEYS: Mapping[str, PrivateKey] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
TO_JWK: Mapping[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def sign(
    issuer: str,
    user: object = "alice",
    *,
    algorithm: str = "ES256",
    key: Any = None,
    kid: str | None = None,
    headers: Mapping[str, Any] | None = None,
    without: str = "",
    **claims: object,
) -> str:
    """Return a JWT that is valid for five minutes, unless `claims` say something else.

    without: a claim to leave out.
    """
    payload = {"iss": issuer, "aud": AUDIENCE, "sub": user, "exp": time.time() + 300, **claims}
    payload.pop(without, None)
    key = KEYS[algorithm] if key is None else key
    kids = {} if kid == "" else {"kid": algorithm if kid is None else kid}
    encoder = jwt.PyJWS()
    encoded: str = encoder.encode(
        json.dumps(payload).encode(), key, algorithm, headers={**kids, **(headers or {})}
    )
    return encoded


def public_pem(algorithm: str) -> str:
    public = KEYS[algorithm].public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(algorithm: str, kid: str = "", key: PrivateKey | None = None) -> dict[str, Any]:
    """Return a public key as an issuer publishes it; its default `kid` is the algorithm."""
    public = (key or KEYS[algorithm]).public_key()
    fields: dict[str, Any] = json.loads(TO_JWK[algorithm].to_jwk(public))
    return fields | {"kid": kid or algorithm, "use": "sig", "alg": algorithm}


class IssuerServer:
    """Serves the key set `keys` from construction until the end of the `with` block."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [jwk(algorithm) for algorithm in KEYS]
        # Instead of the key set.
        self.body: bytes | None = None
        self.status = 200
        self.delay = 0.0
        self.requests = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests += 1
                time.sleep(issuer.delay)
                body = issuer.body
                if body is None:
                    body = json.dumps({"keys": issuer.keys}).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
