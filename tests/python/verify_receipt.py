"""Verifies a receipt with nobody's code but two public libraries'.

usage: verify_receipt.py < {"keys": JWKS, "receipt": {"jws", "payload"}}

Prints the statement; fails if the signature does not hold or the payload is not canonical.
"""

import json
import sys

import rfc8785
from jwcrypto import jwk, jws


def main():
    given = json.load(sys.stdin)
    receipt = given["receipt"]
    payload = receipt["payload"].encode()
    statement = json.loads(payload)
    if rfc8785.dumps(statement) != payload:
        sys.exit("the payload is not canonical")
    header, _, signature = receipt["jws"].split(".")
    kid = jws.base64url_decode(header)
    key = next(key for key in given["keys"]["keys"] if key["kid"] == json.loads(kid)["kid"])
    key = jwk.JWK(kty=key["kty"], crv=key["crv"], x=key["x"])
    token = jws.JWS()
    token.deserialize(f"{header}.{jws.base64url_encode(payload)}.{signature}")
    token.verify(key, alg="EdDSA")
    print(json.dumps(statement))


main()
