"""Is the database really out of the site's reach while the lab says so, whichever it is?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from lab.side import outages
from tests.accounts.racing import browser, log_in, post

# The site closes its connections, which a transaction around the test would not outlive.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def outage_file(tmp_path: Path, settings: Settings, lab: None) -> Iterator[Path]:
    settings.OUTAGE_FILE = tmp_path / "outage.json"
    yield settings.OUTAGE_FILE
    outages.apply(False)


def write_note(file: Path, kind: str, *, seconds: float) -> None:
    file.write_text(json.dumps({"kind": kind, "until": time.time() + seconds, "process": 0}))


@pytest.mark.usefixtures("ada")
def test_reads_and_writes_fail_until_the_note_is_gone_or_over(outage_file: Path) -> None:
    client = browser()
    log_in(client, "jwt")
    token = post(client, "/api/jwt/refresh/").json()["credential"]["token"]

    def statuses() -> list[int]:
        return [get(client, "whoami", token), get(client, "me", token), refresh(client)]

    assert statuses() == [200, 200, 200]
    for kind, wanted in ((outages.NO_DATABASE, [200, 503, 503]), ("redis-stop", [200, 200, 200])):
        write_note(outage_file, kind, seconds=3600)
        assert statuses() == wanted
    for seconds, wanted in ((3600, [200, 503, 503]), (-1, [200, 200, 200])):
        write_note(outage_file, outages.NO_DATABASE, seconds=seconds)
        assert statuses() == wanted
    write_note(outage_file, outages.NO_DATABASE, seconds=3600)
    assert statuses() == [200, 503, 503]
    outage_file.unlink()
    assert statuses() == [200, 200, 200]


def get(client: Client, call: str, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return client.get(f"/api/jwt/{call}/", headers=headers).status_code


def refresh(client: Client) -> int:
    return post(client, "/api/jwt/refresh/").status_code
