"""Is an odd use noticed once, and its end final, when many ask at the same moment?"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest
from django.core import mail
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.models import AuthEvent
from tests.accounts.racing import at_once, elsewhere, trials
from tests.contract.answers import assert_refused, steal
from tests.contract.people import Person, Visit
from tests.contract.test_suspicion import CHROME, ELSEWHERE, FIREFOX, HOME, WHY, at
from tests.contract.transport import InProcessAtOnce, keep_connections

pytestmark = [
    pytest.mark.inside("makes its own requests at once, and changes settings"),
    pytest.mark.django_db(transaction=True),
]
TABS = 6


@pytest.fixture
def transport() -> Any:
    with keep_connections():
        yield InProcessAtOnce()


@pytest.fixture(autouse=True)
def _proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = 100_000


def copies(client: FlowClient, visit: Visit, ip: str, agent: str) -> list[FlowClient]:
    """What a thief has made of one credential; each has its CSRF token at hand."""
    client.fetch_csrf_token()
    made = [at(steal(client, visit(client.flow)), ip, agent) for _ in range(TABS)]
    for copy in made:
        copy.csrf_token = client.csrf_token
    return made


def refresh(client: FlowClient) -> httpx.Response:
    return client.send("POST", "refresh/")


def committed(*kinds: str) -> Counter[str]:
    rows = AuthEvent.objects.filter(kind__in=kinds).values_list("kind", flat=True)
    return elsewhere(lambda: Counter(rows.all()))


def test_what_many_requests_see_at_once_is_told_once(visit: Visit, flow: str, ada: Person) -> None:
    """A page that loads sends several requests: one event and one mail, not six."""
    for _ in range(trials(3)):
        AuthEvent.objects.all().delete()
        client = at(visit(flow), HOME)
        client.login(ada.username, ada.password)
        mail.outbox.clear()
        tabs = copies(client, visit, HOME, CHROME)
        answers = at_once([partial(refresh, tab) for tab in tabs])
        assert {answer.status_code for answer in answers} == {200}
        assert committed("suspicion", "suspicion_ended") == {"suspicion": 1}
        assert len(mail.outbox) == 1


def test_an_end_is_told_once_and_committed_before_the_answer(
    visit: Visit, flow: str, ada: Person, atomic_requests: bool
) -> None:
    """Surprise: DRF rolls an ATOMIC_REQUESTS transaction back when it answers 401."""
    for _ in range(trials(3)):
        AuthEvent.objects.all().delete()
        client = at(visit(flow), HOME)
        client.login(ada.username, ada.password)
        mail.outbox.clear()
        answers = at_once([partial(refresh, c) for c in copies(client, visit, ELSEWHERE, CHROME)])
        for answer in answers:
            assert_refused(answer, 401, "credential_revoked")
        assert committed("suspicion", "suspicion_ended") == {"suspicion_ended": 1}
        assert len(mail.outbox) == 1
        assert_refused(refresh(client), 401, "credential_revoked")


def test_the_end_of_every_login_is_made_once(
    visit: Visit, flow: str, ada: Person, settings: Settings
) -> None:
    settings.SUSPICION = {"end_all": 70}
    client = at(visit(flow), HOME)
    client.login(ada.username, ada.password)
    thieves = copies(client, visit, ELSEWHERE, CHROME)
    for answer in at_once([partial(refresh, thief) for thief in thieves]):
        assert_refused(answer, 401, "credential_revoked")
    assert committed("suspicion_ended", "logout_all") == {"suspicion_ended": 1, "logout_all": 1}
    assert AuthEvent.objects.get(kind="suspicion_ended").detail == WHY


@pytest.mark.parametrize("ending", ["logout/", "logout-all/"])
def test_noting_a_use_brings_back_nothing_that_was_ended_meanwhile(
    visit: Visit, flow: str, ada: Person, ending: str
) -> None:
    """R59: each request from a new place writes to the record, and must not write it back."""
    for _ in range(trials(2)):
        client = at(visit(flow), HOME)
        client.login(ada.username, ada.password)
        tabs = copies(client, visit, ELSEWHERE, FIREFOX)
        last = partial(client.send, "POST", ending)
        ended, *_answers = at_once([last, *[partial(refresh, tab) for tab in tabs]])
        assert ended.status_code == 204
        for tab in [client, *tabs]:
            assert refresh(tab).status_code == 401
