"""What does an attack need done inside of the private site? Users, and what thieves got hold of.

Runs as a process of the site, with its settings: `manage.py shell -c "… inside.serve()"`. One JSON
line in, `{"call", "arguments"}`; one out. It ends with its input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection
from jwt.utils import base64url_decode, base64url_encode

from accounts.models import User
from jwt_api.keys import ring


@cache
def _hash_of(password: str) -> str:
    return make_password(password)


def make_user(username: str, password: str) -> int:
    """A new account; its number. Hashed once for all that have the same password."""
    user = User(username=username, email=f"{username}@example.org", password=_hash_of(password))
    user.save()
    return int(user.pk)


def set_active(user_id: int, active: bool) -> None:
    """What an admin does who ticks, or unticks, "active"."""
    user = User.objects.get(pk=user_id)
    user.is_active = active
    user.save()


def delete_user(user_id: int) -> None:
    User.objects.get(pk=user_id).delete()


def sign(token: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """That token with other words in it, signed by the site's own key. None takes a word out.

    As a thief of the key could, or another service that signs with it.
    """
    parts = [json.loads(base64url_decode(part)) for part in token.split(".")[:2]]
    changed = [
        {name: value for name, value in {**part, **new}.items() if value is not None}
        for part, new in zip(parts, (header, claims), strict=True)
    ]
    text = b".".join(base64url_encode(json.dumps(part).encode()) for part in changed)
    signature = base64url_encode(ring().signing.signer.sign(text))
    return f"{text.decode()}.{signature.decode()}"


def dump(user_id: int) -> list[dict[str, Any]]:
    """Every row of the database that has to do with a user, as a dump would show it."""
    found = []
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            columns = [
                c.name for c in connection.introspection.get_table_description(cursor, table)
            ]
            owner = "id" if table == User._meta.db_table else "user_id"
            if owner not in columns:
                continue
            # Threat: none; the names come from the database itself, and the number is a number.
            cursor.execute(f'SELECT * FROM "{table}" WHERE {owner} = %s', [user_id])  # noqa: S608
            rows = cursor.fetchall()
        found += [{"table": table, **dict(zip(columns, map(str, r), strict=True))} for r in rows]
    return found


CALLS: dict[str, Callable[..., Any]] = {
    call.__name__: call for call in (make_user, set_active, delete_user, sign, dump)
}


def serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        answer = CALLS[asked["call"]](**asked["arguments"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
