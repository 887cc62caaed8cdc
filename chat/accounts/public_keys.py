"""Public keys that verify JWTs, each for the one algorithm of its type."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

# Shorter RSA keys can be factored.
MIN_RSA_BITS = 2048


class PublicKey(NamedTuple):
    key: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
    # RS256, ES256 or EdDSA. A JWT with another one is rejected, so that the key cannot be used as
    # the secret of an HMAC.
    algorithm: str


def parse_pem(text: str) -> PublicKey:
    """Return the key.

    Raises:
        ValueError: it is not a public key of a supported type.
    """
    try:
        return _check(load_pem_public_key(text.encode()))
    except UnsupportedAlgorithm as error:
        raise ValueError("unsupported type of key") from error


def parse_jwks(document: Any) -> dict[str, PublicKey]:
    """Return the usable keys of a JSON Web Key Set by `kid`; "" if a key has none.

    Keys of other types and for other uses are left out.

    Raises:
        ValueError: it is not a key set.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a JSON Web Key Set")
    found = {}
    for jwk in document["keys"]:
        if isinstance(jwk, dict) and jwk.get("use", "sig") == "sig":
            key = _parse_jwk(jwk)
            if key is not None and jwk.get("alg", key.algorithm) == key.algorithm:
                found[str(jwk.get("kid", ""))] = key
    return found


def _parse_jwk(jwk: Mapping[str, Any]) -> PublicKey | None:
    try:
        return _check(jwt.PyJWK(dict(jwk)).key)
    except (jwt.PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    except (KeyError, NotImplementedError):  # PyJWT: `oct` without `k`; the algorithm `none`
        return None


def _check(key: object) -> PublicKey:
    match key:
        case RSAPublicKey():
            if key.key_size < MIN_RSA_BITS:
                raise ValueError(f"an RSA key must have at least {MIN_RSA_BITS} bits")
            return PublicKey(key, "RS256")
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return PublicKey(key, "ES256")
        case Ed25519PublicKey():
            return PublicKey(key, "EdDSA")
    raise ValueError("the key must be of RSA, of the curve P-256, or Ed25519")
