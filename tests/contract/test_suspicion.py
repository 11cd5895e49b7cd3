"""What happens to a login that is used from elsewhere? The same thief, for every flow.

F5, F6, F7, F12, F15, F22 of the articles that asked for this project.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from django.core import mail
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.models import AuthEvent, User
from accounts.security_log import hashed_device
from lab.benchmark.costs import measured
from lab.differences import difference
from tests.contract.answers import (
    assert_ended,
    assert_logged_in,
    assert_refused,
    holding,
    secret_of,
    steal,
)
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person, Visit
from tests.log_reader import reading

pytestmark = [
    pytest.mark.once,  # its races run on both databases
    pytest.mark.inside("sends addresses through a proxy of its own, reads events and mail"),
]

HOME, NEARBY, HOME_V6 = "192.0.2.1", "192.0.77.3", "2001:db8::1"
ELSEWHERE = "203.0.113.9"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
UPDATED = FIREFOX.replace("143", "144")
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
WHY = "new network and new browser at once"
MINUTE = 60


@pytest.fixture(autouse=True)
def _proxy(settings: Settings) -> None:
    """What a client's address is, its proxy says; see `at`."""
    settings.TRUSTED_PROXIES = 1


def at(client: FlowClient, ip: str, agent: str = FIREFOX) -> FlowClient:
    """The same client, from another place."""
    client.http.headers.update({"X-Forwarded-For": ip, "User-Agent": agent})
    return client


@pytest.fixture
def owner(guest: FlowClient, ada: Person) -> FlowClient:
    """Ada, logged in at home."""
    at(guest, HOME).login(ada.username, ada.password)
    return guest


@pytest.fixture
def thief(owner: FlowClient, visit: Visit, flow: str) -> FlowClient:
    """Who has copied all that ada's browser holds."""
    return with_token(at(steal(owner, visit(flow)), ELSEWHERE, CHROME))


def with_token(client: FlowClient) -> FlowClient:
    client.fetch_csrf_token()
    return client


def use(client: FlowClient) -> None:
    """All that a flow looks at: a request, and a refresh."""
    assert_logged_in(client)
    assert client.send("POST", "refresh/").status_code == 200


def told(*kinds: str) -> list[tuple[str, str]]:
    rows = AuthEvent.objects.filter(kind__in=kinds or ["suspicion", "suspicion_ended"])
    return list(rows.order_by("pk").values_list("kind", "detail"))


# --- the theft --------------------------------------------------------------------------------


@dataclass
class Loot:
    """What a thief got out of it."""

    seconds: float
    """From the theft to the last answer that the thief was given."""
    noticed: str
    """Which use was refused for good: the words of `a_thief_is_noticed`."""


def keep_using(thief: FlowClient, clock: Clock) -> Loot:
    """Ask every minute, and refresh when the answer is that it is time to."""
    stolen, last = datetime.now(UTC), None
    for _ in range(60):
        answer = thief.send("GET", "whoami/")
        if answer.is_success:
            last = datetime.now(UTC)
            clock.advance(MINUTE)
        elif answer.json()["code"] == "credential_expired":
            if not thief.send("POST", "refresh/").is_success:
                return Loot(seconds_since(stolen, last), "next refresh")
        else:
            return Loot(seconds_since(stolen, last), "next request")
    raise AssertionError("the thief is still in")


def refresh_first(thief: FlowClient, clock: Clock) -> Loot:
    """Exchange the secret before its owner does, and live on what that gives."""
    assert_refused(thief.send("POST", "refresh/"), 401, "credential_revoked")
    return keep_using(thief, clock)


def seconds_since(stolen: datetime, last: datetime | None) -> float:
    return (last - stolen).total_seconds() if last else 0.0


@pytest.mark.parametrize("attack", [keep_using, refresh_first], ids=lambda attack: attack.__name__)
def test_a_theft_is_noticed_and_what_was_stolen_is_dead(
    owner: FlowClient,
    thief: FlowClient,
    flow: str,
    clock: Clock,
    attack: Callable[[FlowClient, Clock], Loot],
    record_property: Callable[[str, object], None],
) -> None:
    """F5, F6, F7, F12: cookie or tokens copied, used elsewhere, noticed, dead, for both of them."""
    promised = next(entry for entry in owner.devices() if entry["current"])["ends_within"]
    loot = attack(thief, clock)
    record_property(f"seconds of exposure, {flow}, {attack.__name__}", loot.seconds)
    assert loot.seconds <= promised
    assert loot.noticed == difference("a_thief_is_noticed", flow)
    for copied in (thief, owner):
        assert_refused(copied.send("POST", "refresh/"), 401, "credential_revoked")
        assert copied.send("GET", "whoami/").status_code == 401
    assert told() == [("suspicion_ended", WHY)]


def test_right_after_the_end_the_stolen_credential_lives_as_long_as_the_flow_says(
    owner: FlowClient, thief: FlowClient
) -> None:
    thief.send("POST", "refresh/")
    assert_ended(thief)
    assert_ended(owner)


def test_only_the_stolen_login_ends(
    owner: FlowClient, thief: FlowClient, enter: Enter, other_flow: str, ada: Person
) -> None:
    others = [enter(ada), enter(ada, other_flow)]
    thief.send("POST", "refresh/")
    for other in others:
        assert_logged_in(other)
        other.refresh()


def test_the_policy_may_end_every_login_of_the_user(
    thief: FlowClient,
    enter: Enter,
    other_flow: str,
    ada: Person,
    grace: Person,
    settings: Settings,
) -> None:
    settings.SUSPICION = {"end_all": 70}
    others, bystander = [enter(ada), enter(ada, other_flow)], enter(grace)
    assert_refused(thief.send("POST", "refresh/"), 401, "credential_revoked")
    for other in others:
        assert_refused(other.send("POST", "refresh/"), 401, "credential_revoked")
    bystander.refresh()
    assert told("logout_all", "suspicion_ended") == [("suspicion_ended", WHY), ("logout_all", WHY)]


def test_a_copy_that_goes_on_within_the_grace_is_noticed_too(
    owner: FlowClient, thief: FlowClient, flow: str
) -> None:
    """Threat: the predecessor of a secret is answered for ten more seconds."""
    owner.refresh()
    assert_refused(thief.send("POST", "refresh/"), 401, "credential_revoked")
    assert_refused(owner.send("POST", "refresh/"), 401, "credential_revoked")


# --- what is told -----------------------------------------------------------------------------


def test_an_end_is_one_event_one_line_and_one_mail(
    owner: FlowClient, thief: FlowClient, flow: str, ada: Person
) -> None:
    """R95; and the thief is not told what gave them away."""
    device, secret = owner.whoami()["device"], secret_of(owner)
    with reading() as log:
        answer = thief.send("POST", "refresh/")
        thief.send("POST", "refresh/")
    assert answer.json()["detail"] == "This login was ended. Log in again."
    event = AuthEvent.objects.get(kind="suspicion_ended")
    assert (event.flow, event.device, event.ip, event.detail) == (flow, device, ELSEWHERE, WHY)
    line = log.only("suspicion_ended")
    assert (line["level"], line["cause"], line["stored"]) == ("warning", WHY, True)
    assert (line["flow"], line["device"], line["ip"]) == (flow, hashed_device(device), ELSEWHERE)
    (letter,) = mail.outbox
    assert letter.to == [f"{ada.username}@example.org"]
    assert letter.subject == "A login of yours was ended"
    assert f"{WHY.capitalize()}: Chrome on Windows, {ELSEWHERE}" in letter.body
    assert "password" in letter.body
    for private in (secret, device, owner.token or secret):
        assert private not in letter.body + log.text


def test_a_new_browser_alone_is_noticed_once_and_the_login_goes_on(
    owner: FlowClient, thief: FlowClient
) -> None:
    at(thief, HOME, CHROME)
    for _ in range(3):
        use(thief)
    assert told() == [("suspicion", "new browser")]
    assert [letter.subject for letter in mail.outbox] == ["Something is new about a login of yours"]


def test_a_new_network_alone_is_noted_without_a_mail(owner: FlowClient) -> None:
    use(at(owner, ELSEWHERE))
    assert told() == [("suspicion", "new network")]
    assert mail.outbox == []


def test_the_devices_page_says_what_was_ended_and_why(
    owner: FlowClient, thief: FlowClient, flow: str, ada: Person
) -> None:
    thief.send("POST", "refresh/")
    event = AuthEvent.objects.get(kind="suspicion_ended")
    sentence = f"ended: {WHY}, {event.created:%H:%M}"
    owner.login(ada.username, ada.password)
    for page in ("devices", "profile"):
        assert sentence in page_of(owner, page).text


def page_of(client: FlowClient, page: str) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    return client.http.get(f"/{client.flow}/{page}/", headers=bearer)


def test_the_next_login_says_it_once_the_password_was_proven(
    owner: FlowClient, thief: FlowClient, visit: Visit, flow: str, ada: Person
) -> None:
    thief.send("POST", "refresh/")
    assert WHY not in page_of(thief, "login").text
    assert WHY not in page_of(owner, "login").text
    for expected in (True, False):
        browser = visit(flow)
        form = {"username": ada.username, "password": ada.password}
        form["csrfmiddlewaretoken"] = browser.fetch_csrf_token()
        browser.http.post(f"/{flow}/login/", data=form)
        assert (f"ended: {WHY}" in page_of(browser, "login").text) == expected


# --- logins from new devices -------------------------------------------------------------------


def test_a_login_from_a_new_device_is_mailed(owner: FlowClient, enter: Enter, ada: Person) -> None:
    assert mail.outbox == [], "the first login of all is no news"
    new = enter(ada)
    assert told("login") == [("login", ""), ("login", "login from a new device")]
    assert "Login from a new device" in mail.outbox[0].body
    new.logout()
    new.login(ada.username, ada.password)
    assert len(mail.outbox) == 1, "known by now"
    assert_logged_in(owner)


def test_failures_before_a_login_from_a_new_device_are_told(
    owner: FlowClient, guest: FlowClient, visit: Visit, flow: str, ada: Person
) -> None:
    stranger = visit(flow)
    for _ in range(5):
        stranger.send("POST", "login/", {"username": ada.username, "password": "not-it"})
    stranger.login(ada.username, ada.password)
    expected = "login from a new device and many failed logins before it at once"
    assert told("login")[-1] == ("login", expected)


def test_a_mail_that_cannot_be_sent_breaks_no_login(
    owner: FlowClient, enter: Enter, ada: Person, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with reading() as log:
        assert_logged_in(enter(ada))
    assert log.only("mail_not_sent")["cause"] == "mail: ConnectionRefusedError"


# --- a refresh token that comes twice -----------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "ends_all"), [("off", False), ("default", False), ("strict", True)]
)
def test_a_secret_used_twice_has_its_place_in_the_policy(
    owner: FlowClient,
    visit: Visit,
    enter: Enter,
    flow: str,
    ada: Person,
    profile: str,
    ends_all: bool,
    settings: Settings,
) -> None:
    """F15: its own login ends in every profile; the strict one ends every login of the user."""
    other = enter(ada)
    mail.outbox.clear()
    settings.SUSPICION = settings.SUSPICION_PROFILES[profile]
    late = with_token(at(steal(owner, visit(flow)), HOME))
    owner.refresh()
    owner.refresh()
    late.send("POST", "refresh/")
    reused = difference("code_of_a_rotated_secret", flow) == "credential_reused"
    assert owner.send("POST", "refresh/").is_success == (not reused)
    assert other.send("POST", "refresh/").is_success == (not (reused and ends_all))
    assert len(mail.outbox) == (reused and profile != "off")
    assert told("reuse") == [("reuse", "")] * reused


# --- what honest people do -----------------------------------------------------------------------

HONEST: dict[str, list[tuple[str, str]]] = {
    "roaming in one provider's network": [(NEARBY, FIREFOX), (HOME, FIREFOX), (NEARBY, FIREFOX)],
    "an update of the browser": [(HOME, UPDATED), (HOME, UPDATED)],
    "roaming and an update at once": [(NEARBY, UPDATED), (NEARBY, UPDATED)],
}


@pytest.mark.parametrize("name", HONEST)
def test_what_honest_people_do_is_not_even_noted(owner: FlowClient, name: str) -> None:
    for place in HONEST[name]:
        use(at(owner, *place))
    assert told() == []


def test_ipv4_and_ipv6_in_turns_are_one_note(owner: FlowClient) -> None:
    for number in range(6):
        use(at(owner, (HOME, HOME_V6)[number % 2]))
    assert told() == [("suspicion", "other internet protocol")]
    assert mail.outbox == []


def test_ipv6_and_another_browser_are_a_theft(owner: FlowClient, thief: FlowClient) -> None:
    """Threat: the exception for a client that has both must be no hole."""
    assert_refused(
        at(thief, "2a02:1234::9", CHROME).send("POST", "refresh/"), 401, "credential_revoked"
    )


# --- whose address is believed -------------------------------------------------------------------


def test_a_thief_cannot_claim_the_owners_address(owner: FlowClient, thief: FlowClient) -> None:
    """The proxy's own entry is the last one; what came before it, anybody may have sent."""
    at(thief, f"{HOME}, {ELSEWHERE}", CHROME)
    assert_refused(thief.send("POST", "refresh/"), 401, "credential_revoked")
    assert told() == [("suspicion_ended", WHY)]


def test_without_a_proxy_no_header_counts(enter: Enter, ada: Person, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 0
    client = enter(ada)
    for number in range(5):
        use(at(client, f"{number}.0.113.9", "python-httpx/1"))
    assert told() == []


# --- no oracle, no lockout -----------------------------------------------------------------------


def test_nobody_ends_a_login_without_its_credential(
    owner: FlowClient, visit: Visit, flow: str, ada: Person
) -> None:
    """Threat: a request that looks stolen would be a way to log anybody out."""
    secret, device = secret_of(owner), owner.whoami()["device"]
    for forged in (secret[:-4] + "AAAA", secret.partition(".")[0], f"{secret}x", device):
        stranger = at(holding(visit(flow), secret=forged, token=forged), ELSEWHERE, CHROME)
        for method, path in (("GET", "whoami/"), ("POST", "refresh/"), ("POST", "logout/")):
            stranger.http.request(method, f"/api/{flow}/{path}")
    stranger = at(visit(flow), ELSEWHERE, CHROME)
    for _ in range(9):
        stranger.send("POST", "login/", {"username": ada.username, "password": "not-it"})
    use(owner)
    use(at(owner, ELSEWHERE))
    assert told() == [("suspicion", "new network")], "failures count against no device"


def test_a_dead_credential_judges_nothing(owner: FlowClient, thief: FlowClient) -> None:
    owner.logout()
    assert_refused(thief.send("POST", "refresh/"), 401, "credential_revoked")
    assert told() == []


# --- what it costs -----------------------------------------------------------------------------


def test_a_device_that_was_elsewhere_costs_no_more_afterwards(owner: FlowClient, flow: str) -> None:
    """One Redis read with sessions, none with tokens: the history lies in the record."""
    use(at(owner, ELSEWHERE))
    assert_logged_in(owner)
    with measured(get_redis_connection("auth")) as cost:
        assert_logged_in(owner)
    assert cost.sql == []
    assert sum(cost.redis.values()) == difference("whoami_redis_commands", flow)


def test_two_who_share_a_login_do_not_write_with_every_request(
    owner: FlowClient, flow: str
) -> None:
    """Threat: a write storm, by two clients that take turns."""
    for number in range(8):
        assert_logged_in(at(owner, (HOME, ELSEWHERE)[number % 2]))
    with measured(get_redis_connection("auth")) as cost:
        for number in range(6):
            assert_logged_in(at(owner, (HOME, ELSEWHERE)[number % 2]))
    assert cost.sql == []
    assert sum(cost.redis.values()) == 6 * int(str(difference("whoami_redis_commands", flow)))


def test_a_user_who_is_gone_meanwhile_is_no_error(
    owner: FlowClient, thief: FlowClient, ada: Person
) -> None:
    User.objects.get(username=ada.username).delete()
    assert thief.send("POST", "refresh/").status_code == 401
