"""How does another service know whom to believe? From the issuer's public keys, and nothing else.

A service of its own: it imports no Django, reads no setting and opens no store of the site.
It is told four things, a URL of keys (JWKS), who issues, for whom, and where to listen:

    python -m jwt_api.verifier

It protects one resource, `GET /notes/`, which a token with the scope `notes:read` opens.
What it cannot know is that a token was revoked: it takes one until `exp`. A service that may
reach the site's Redis (`--redis URL`) can, where the site keeps a denylist there (JWT_REVOCATION).
"""
