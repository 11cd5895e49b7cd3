"""What can be done with a mail, once, and what does nobody learn from asking for one?"""

import re
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, identify_hasher, make_password
from django.core import mail
from django.db import IntegrityError, connection
from django.test import Client
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts import by_mail, links
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from authdemo import settings as site_settings
from lab.benchmark.costs import measured
from tests.accounts.doors import said
from tests.accounts.mailing import ADDRESS, PASSWORD, ask, link, link_to, token_of, use
from tests.accounts.people import make
from tests.accounts.plans import plans
from tests.accounts.racing import at_once, browser, log_in, post, trials
from tests.log_reader import reading
from tests.outages import no_database, no_redis
from tests.sessions_api.test_snapshot import change_in_admin

pytestmark = pytest.mark.django_db

FLOWS = [flow.key for flow in flows()]
AT_EACH_DOOR = pytest.mark.parametrize("door", ["signup", "reset"])


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest) -> str:
    return request.param


def password_is(name: str, password: str) -> bool:
    return User.objects.get(username=name).check_password(password)


def profile(client: Client, flow: str) -> tuple[str, dict[str, Any]]:
    """The profile page, and the headers that open it after a login in this flow."""
    token = log_in(client, flow)["credential"]["token"]
    return f"/{flow}/profile/", {"Authorization": f"Bearer {token}"} if token else {}


def ask_to_move(
    client: Client, flow: str, address: str, password: str = "ada-demo-password"
) -> Any:
    path, headers = profile(client, flow)
    fields = {"new_email": address, "current_password": password}
    return client.post(path, fields, headers=headers)


def link_to_move(flow: str = "sessions", address: str = ADDRESS) -> str:
    answer = ask_to_move(Client(), flow, address)
    assert answer.status_code == 302, answer.content.decode()
    return link()


def kinds() -> list[str]:
    return list(AuthEvent.objects.order_by("pk").values_list("kind", flat=True))


# --- sign up --------------------------------------------------------------------------------


def test_signing_up_begins_a_login(client: Client, flow: str) -> None:
    """F18: there is nothing before the link, and after it a user, a device and no more."""
    there = link_to(flow, "signup")
    assert not User.objects.exists()
    answer = use(client, there, display_name="Noor")
    assert (answer.status_code, answer["Location"]) == (302, f"/{flow}/profile/")
    assert post(client, f"/api/{flow}/refresh/").status_code == 200, "a device of this flow"
    user = User.objects.get()
    assert (user.username, user.email, user.display_name) == (ADDRESS, ADDRESS, "Noor")
    assert user.email_verified is not None
    assert user.check_password(PASSWORD)
    assert kinds() == ["link_sent", "signup", "login", "refresh"]
    assert set(AuthEvent.objects.values_list("flow", flat=True)) == {flow}


def test_a_mail_says_what_it_is_and_holds_one_link(flow: str) -> None:
    link_to(flow, "signup")
    (message,) = mail.outbox
    assert (message.to, message.subject) == ([ADDRESS], "Confirm your e-mail address")
    assert f"http://testserver/{flow}/signup/link/?token=" in message.body
    assert "within 24 hours" in message.body
    assert message.from_email == site_settings.DEFAULT_FROM_EMAIL


def test_the_name_is_the_address_in_lower_case(client: Client, flow: str) -> None:
    """And it logs in however it is typed; a failure stands among its owner's activities."""
    use(client, link_to("sessions", "signup", " Noor@Example.ORG "))
    user = User.objects.get()
    assert user.username == ADDRESS
    for typed in (ADDRESS, "Noor@Example.ORG", "NOOR@EXAMPLE.ORG"):
        body = {"username": typed, "password": PASSWORD}
        assert post(browser(), f"/api/{flow}/login/", body).status_code == 200, typed
        body["password"] = "not-the-password"
        assert post(browser(), f"/api/{flow}/login/", body).status_code == 401
    assert user.auth_events.filter(kind="login_failed").count() == 3


def test_names_that_differ_by_more_than_an_address_may_are_two_users() -> None:
    make("ada")
    body = {"username": "Ada", "password": "ada-demo-password"}
    assert post(browser(), "/api/jwt/login/", body).status_code == 401
    for name in ("Noor@example.org", ADDRESS):
        User.objects.create_user(name, password=f"{name}-demo-password")
    for name in ("Noor@example.org", ADDRESS):
        answer = log_in(browser(), "jwt", name)
        assert answer["user"]["username"] == name


ADDRESSES = ["", "noor", "noor@", "a\0b@example.org", "noor@exämple.org"]
ADDRESSES += ["m\u0131ke@example.org"]  # a dotless i; in capitals it is MIKE
ADDRESSES += ["x" * 140 + "@example.org", "a@example.org\nBcc: all@example.org", "a@b.org,c@d.org"]


@AT_EACH_DOOR
@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address_gets_no_mail(client: Client, door: str, address: str) -> None:
    """Threat: CVE-2019-19844, two spellings that compare equal and are two mailboxes."""
    make("mike")
    answer = ask(client, "sessions", door, address)
    assert "field-error" in answer.content.decode()
    assert mail.outbox == []


# --- a link works once ----------------------------------------------------------------------


def to_sign_up() -> str:
    return link_to("sessions", "signup")


def to_reset() -> str:
    make("ada")
    return link_to("sessions", "reset", "ada@example.org")


def to_move() -> str:
    make("ada")
    return link_to_move()


LINKS: dict[str, Callable[[], str]] = {"signup": to_sign_up, "reset": to_reset, "email": to_move}
EACH_LINK = pytest.mark.parametrize("purpose", LINKS)


def rows() -> list[Any]:
    columns = ("username", "email", "email_verified", "epoch", "password")
    return list(User.objects.order_by("pk").values_list(*columns))


@EACH_LINK
def test_a_scanner_that_fetches_a_link_uses_nothing_up(client: Client, purpose: str) -> None:
    """Threat: mail filters and previews open every link before its receiver does."""
    there = LINKS[purpose]()
    before = rows()
    for method in (client.get, client.head, client.options):
        assert method(there).status_code == 200
    assert rows() == before
    assert use(client, there).status_code == 302
    assert rows() != before


@EACH_LINK
def test_a_link_is_used_once(purpose: str) -> None:
    there = LINKS[purpose]()
    assert use(browser(), there).status_code == 302
    after = rows()
    for again in (use(browser(), there, new_password="other-" + PASSWORD), browser().get(there)):
        assert again.status_code == 400
        assert "This link was used already" in again.content.decode()
    assert rows() == after


@EACH_LINK
@pytest.mark.django_db(transaction=True)
def test_of_clicks_at_once_one_wins(purpose: str) -> None:
    """Each with a password of its own, and over a connection of its own."""
    for trial in range(trials(3, full=50)):
        User.objects.all().delete()
        get_redis_connection("auth").flushdb()
        there, clicks = LINKS[purpose](), 6
        before = Counter(kinds())
        answers = at_once(
            [
                partial(use, browser(), there, new_password=f"{PASSWORD}-{trial}-{number}")
                for number in range(clicks)
            ]
        )
        assert Counter(answer.status_code for answer in answers) == {302: 1, 400: clicks - 1}
        done = {"signup": "signup", "reset": "password_reset", "email": "email_changed"}[purpose]
        assert (Counter(kinds()) - before)[done] == 1
        assert User.objects.count() == 1


@EACH_LINK
def test_a_link_of_one_kind_does_nothing_on_the_page_of_another(purpose: str) -> None:
    there = LINKS[purpose]()
    before = rows()
    for other in LINKS.keys() - {purpose}:
        answer = use(browser(), f"/sessions/{other}/link/?token={token_of(there)}")
        assert (answer.status_code, links.OTHER_KIND in answer.content.decode()) == (400, True)
    assert rows() == before


def test_a_bad_password_does_not_use_the_link_up(client: Client) -> None:
    there = to_sign_up()
    for bad in ("short", "1234567890123", "password1234", ADDRESS, "a\0b" * 9, "x" * 1025, ""):
        assert "field-error" in use(client, there, new_password=bad).content.decode(), bad
    assert not User.objects.exists()
    assert use(client, there).status_code == 302


@EACH_LINK
def test_a_button_of_another_site_is_not_ours(purpose: str) -> None:
    there, client = LINKS[purpose](), Client(enforce_csrf_checks=True)
    before = rows()
    assert use(client, there).status_code == 403
    form = client.get(there)
    token = str(form.context["csrf_token"])
    assert rows() == before
    assert use(client, there, csrfmiddlewaretoken=token).status_code == 302


@EACH_LINK
def test_a_link_goes_on_while_the_secret_key_is_changed(purpose: str, settings: Settings) -> None:
    there, old = LINKS[purpose](), settings.SECRET_KEY
    settings.SECRET_KEY = "y" * 50
    assert browser().get(there).status_code == 400
    settings.SECRET_KEY_FALLBACKS = [old]
    assert use(browser(), there).status_code == 302


# --- what ends a link before it is used -------------------------------------------------------

Change = Callable[[User], Any]


def changed(**values: Any) -> Change:
    return lambda user: User.objects.filter(pk=user.pk).update(**values)


def off_and_on(user: User) -> None:
    changed(is_active=False)(user)
    changed(is_active=True)(user)


def there_and_back(user: User) -> None:
    """The address is changed by links, and back again: the row is the same but for the time."""
    for address in ("elsewhere@example.org", user.email):
        user.refresh_from_db()
        state = links.state_of(user)
        token = links.make("email", subject=str(user.pk), email=address, state=state)
        assert use(browser(), f"/jwt/email/link/?token={token}").status_code == 302


ENDS: dict[str, Change] = {
    "a new password": changed(password=make_password("another-long-password")),
    "a logout everywhere": User.raise_epoch,
    "a deactivation": changed(is_active=False),
    "a deactivation that was taken back": off_and_on,
    "another address": changed(email="elsewhere@example.org"),
    "another name": changed(username="countess"),
    "an address that was changed and changed back": there_and_back,
    "a deletion": User.delete,
}


@pytest.mark.parametrize("purpose", ["reset", "email"])
@pytest.mark.parametrize("name", ENDS)
def test_a_link_ends_with_what_it_was_made_for(name: str, purpose: str) -> None:
    there = LINKS[purpose]()
    ENDS[name](User.objects.get(username="ada"))
    before = rows()
    for answer in (browser().get(there), use(browser(), there)):
        assert (answer.status_code, links.USED in answer.content.decode()) == (400, True)
    assert rows() == before


def test_a_sign_up_link_ends_when_its_address_has_an_account() -> None:
    for fields in ({"email": ADDRESS.upper()}, {"email": "", "username": ADDRESS}):
        there = to_sign_up()
        user = User.objects.create_user(**{"username": "noor", **fields})
        for answer in (browser().get(there), use(browser(), there)):
            assert (answer.status_code, links.HAS_ACCOUNT in answer.content.decode()) == (400, True)
        user.delete()


# --- a forgotten password ---------------------------------------------------------------------


def test_a_reset_ends_every_login_in_both_flows(flow: str) -> None:
    """F22, R68: and logs nobody in."""
    make("ada")
    clients = {key: browser() for key in FLOWS}
    tokens = {key: log_in(client, key)["credential"]["token"] for key, client in clients.items()}
    there, visitor = link_to(flow, "reset", "ada@example.org"), browser()
    answer = use(visitor, there)
    assert (answer.status_code, answer["Location"]) == (302, f"/{flow}/login/")
    for key in FLOWS:
        assert post(visitor, f"/api/{key}/refresh/").status_code == 401
        assert post(clients[key], f"/api/{key}/refresh/").status_code == 401
        bearer = {"Authorization": f"Bearer {tokens[key]}"} if tokens[key] else {}
        assert clients[key].get(f"/api/{key}/me/", headers=bearer).status_code == 401
    assert password_is("ada", PASSWORD)
    assert not password_is("ada", "ada-demo-password")
    assert User.objects.get().email_verified is not None
    assert kinds()[-2:] == ["link_sent", "password_reset"]
    assert mail.outbox[-1].subject == "Your password was changed"
    assert mail.outbox[-1].to == ["ada@example.org"]


def test_a_reset_goes_to_the_address_in_the_row() -> None:
    make("ada")
    User.objects.update(email="Ada@Example.org")
    link_to("sessions", "reset", "aDa@eXample.org")
    assert mail.outbox[-1].to == ["Ada@Example.org"]


NOBODY: dict[str, dict[str, Any]] = {
    "inactive": {"is_active": False},
    "without a password": {"password": make_password(None)},
    "without an address": {"email": ""},
}


@pytest.mark.parametrize("who", NOBODY)
def test_who_cannot_log_in_cannot_set_a_password(client: Client, who: str) -> None:
    make("ada")
    User.objects.update(**NOBODY[who])
    ask(client, "sessions", "reset", "ada@example.org")
    assert mail.outbox[-1].subject == "No account with this address"
    assert "token" not in mail.outbox[-1].body


# --- another address ----------------------------------------------------------------------------


def test_an_address_changes_behind_its_link_and_not_before(flow: str) -> None:
    user, client = make("ada"), browser()
    assert ask_to_move(client, flow, ADDRESS).status_code == 302
    notice, sent = mail.outbox
    assert (notice.to, notice.subject) == (
        ["ada@example.org"],
        "Your e-mail address is about to change",
    )
    assert (sent.to, "token=" in notice.body) == ([ADDRESS], False)
    user.refresh_from_db()
    assert user.email == "ada@example.org"
    assert use(browser(), link()).status_code == 302
    user.refresh_from_db()
    assert (user.email, user.username) == (ADDRESS, "ada")
    assert user.email_verified is not None
    assert post(client, f"/api/{flow}/refresh/").status_code == 200, "who is logged in goes on"
    assert kinds()[-3:-1] == ["link_sent", "email_changed"]


def test_who_is_called_like_the_old_address_is_called_like_the_new_one(client: Client) -> None:
    """Or the next owner of the old address could not sign up, and its former one not log in."""
    use(client, to_sign_up())
    token = links.make(
        "email",
        subject=str(User.objects.get().pk),
        email="noor@example.net",
        state=links.state_of(User.objects.get()),
    )
    assert use(client, f"/sessions/email/link/?token={token}").status_code == 302
    assert User.objects.get().username == "noor@example.net"
    use(browser(), to_sign_up())
    assert User.objects.count() == 2


REFUSED_MOVES = {
    "a wrong password": ({"current_password": "x"}, "This is not your current password."),
    "no password": ({"current_password": ""}, "This field is required."),
    "the same address": ({"new_email": "ADA@example.org"}, "This is your address already."),
    "no address": ({"new_email": "ada"}, "Enter a valid email address."),
}


@pytest.mark.parametrize("name", REFUSED_MOVES)
def test_no_link_without_a_password_and_a_new_address(flow: str, name: str) -> None:
    make("ada")
    client = browser()
    path, headers = profile(client, flow)
    fields = {"new_email": ADDRESS, "current_password": "ada-demo-password"}
    fields, sentence = fields | REFUSED_MOVES[name][0], REFUSED_MOVES[name][1]
    answer = client.post(path, fields, headers=headers)
    assert sentence in answer.content.decode()
    assert mail.outbox == []


def test_anothers_address_is_not_taken_over(client: Client) -> None:
    make("ada")
    make("grace")
    assert ask_to_move(client, "sessions", "GRACE@example.org").status_code == 302
    assert mail.outbox[-1].subject == "This address has an account already"
    assert "token" not in mail.outbox[-1].body
    User.objects.filter(username="grace").update(email="")
    there = link_to_move(address="grace@example.org")
    User.objects.filter(username="grace").update(email="Grace@example.org")
    answer = use(browser(), there)
    assert (answer.status_code, links.TAKEN in answer.content.decode()) == (400, True)
    assert User.objects.get(username="ada").email == "ada@example.org"


@pytest.mark.parametrize(("address", "confirmed"), [("other@example.org", False), (ADDRESS, True)])
def test_an_address_that_an_admin_wrote_is_not_confirmed(address: str, confirmed: bool) -> None:
    use(browser(), to_sign_up())
    change_in_admin(User.objects.get(), email=address)
    user = User.objects.get(username=ADDRESS)
    assert (user.email, user.email_verified is not None) == (address, confirmed)


def test_an_address_has_one_user_however_it_is_written() -> None:
    """Issue: e-mail unique case-insensitively, in the database."""
    make("ada")
    with pytest.raises(IntegrityError):
        User.objects.create_user("other", "ADA@Example.Org")


def test_passwords_are_hashed_with_argon2(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS
    hashed = make_password("seven-swallows")
    assert isinstance(identify_hasher(hashed), Argon2PasswordHasher)


# --- what nobody learns ---------------------------------------------------------------------------


def told(door: str, address: str) -> Any:
    """All that asking with an address tells, the work for it included."""
    client = browser()
    client.get(f"/sessions/{door}/")
    mail.outbox.clear()
    with measured(get_redis_connection("auth")) as cost:
        answer = ask(client, "sessions", door, address)
    shape = [re.sub(r"'[^']*'|\d+|NULL", "?", sql) for sql in cost.sql]
    return said(answer, address), shape, cost.redis, len(mail.outbox)


@AT_EACH_DOOR
def test_nobody_learns_which_address_has_an_account(door: str) -> None:
    """The same answer, statements, Redis commands and number of mails, whoever is asked for."""
    people = {"ada": {}, "ian": NOBODY["inactive"], "pia": NOBODY["without a password"]}
    for name, values in people.items():
        User.objects.filter(pk=make(name).pk).update(**values)
    expected = told(door, "nil@example.org")
    assert (expected[0][0], expected[3]) == (200, 1)
    assert "Look into your mailbox" in expected[0][1]
    for name in people:
        assert told(door, f"{name}@example.org") == expected, name


@AT_EACH_DOOR
def test_nobody_learns_it_from_being_refused(door: str, settings: Settings) -> None:
    make("ada")
    settings.MAIL_LIMIT_ADDRESS = 0
    answers = {}
    for name in ("ada", "nil"):
        get_redis_connection("auth").flushdb()
        answers[name] = told(door, f"{name}@example.org")
    assert answers["ada"] == answers["nil"]
    (status, *_), statements, _, mails = answers["ada"]
    assert (status, statements, mails) == (429, [], 0)


def test_an_address_is_found_by_its_index() -> None:
    """Threat: with a million accounts every request of a stranger would read all of them."""
    make("ada")
    names = [f"user-{number}" for number in range(2000)]
    User.objects.bulk_create(User(username=n, email=f"{n}@example.org") for n in names)
    with connection.cursor() as cursor:  # a small table is read as a whole
        cursor.execute("ANALYZE accounts_user")
    with plans() as found:
        assert by_mail.owner_of("ADA@example.org") is not None
        assert by_mail.users().filter(by_mail.with_email("nil@example.org")).first() is None
    assert [plan for plan in found if plan.reads_a_whole_table()] == []


# --- how many mails -------------------------------------------------------------------------------


def test_mails_to_an_address_come_to_an_end(settings: Settings, flow: str) -> None:
    """However it is written, whatever is asked for, and in whichever flow."""
    settings.MAIL_LIMIT_ADDRESS = 4
    asked = [("signup", ADDRESS), ("reset", ADDRESS.upper()), ("reset", f" {ADDRESS}")]
    answers = [ask(browser(), flow, *asked[n % 3]) for n in range(3)]
    answers += [ask(browser(), other, "signup", ADDRESS) for other in FLOWS]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    wait = int(answers[-1]["Retry-After"])
    assert 1 <= wait <= settings.MAIL_LIMIT_SECONDS
    assert f"Try again in {wait} seconds." in answers[-1].content.decode()
    assert len(mail.outbox) == 4
    assert ask(browser(), flow, "signup", "grace@example.org").status_code == 200


def test_mails_that_one_network_asks_for_come_to_an_end(settings: Settings) -> None:
    settings.MAIL_LIMIT_NETWORK = 3
    header = {"X-Forwarded-For": "203.0.113.{}"}
    answers = []
    for number in range(5):
        headers = {name: value.format(number) for name, value in header.items()}
        address = {"address": f"x{number}@example.org"}
        answers.append(browser().post("/sessions/reset/", address, headers=headers))
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2


@pytest.mark.django_db(transaction=True)
def test_mails_asked_for_at_once_are_no_more_than_the_limit(settings: Settings) -> None:
    settings.MAIL_LIMIT_ADDRESS = 3
    asking = [partial(ask, browser(), FLOWS[number % 2], "signup") for number in range(12)]
    answers = at_once(asking)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 9
    assert len(mail.outbox) == 3


def test_asking_to_move_is_counted_too(settings: Settings) -> None:
    make("ada")
    settings.MAIL_LIMIT_ADDRESS = 1
    assert ask_to_move(browser(), "sessions", ADDRESS).status_code == 302
    refused = ask_to_move(browser(), "sessions", ADDRESS)
    assert (refused.status_code, len(mail.outbox)) == (429, 2)
    assert refused["Retry-After"]


# --- when no mail can be sent ---------------------------------------------------------------------


@pytest.fixture
def no_mail_server(settings: Settings, unused_port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_port


@AT_EACH_DOOR
def test_a_mail_that_cannot_be_sent_is_a_503_and_nothing_is_lost(
    door: str, settings: Settings, no_mail_server: None
) -> None:
    """For a known address as for another one; and it does not count as an attempt."""
    make("ada")
    settings.MAIL_LIMIT_ADDRESS = 1
    answers = []
    for name in ("ada", "nil"):
        answer = ask(browser(), "jwt", door, f"{name}@example.org")
        assert "The mail cannot be sent right now." in answer.content.decode()
        assert answer["Retry-After"]
        answers.append(said(answer, name))
    assert answers[0] == answers[1]
    assert answers[0][0] == 503
    assert kinds() == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for name in ("ada", "nil"):
        assert ask(browser(), "jwt", door, f"{name}@example.org").status_code == 200


def test_a_password_is_set_also_when_the_notice_of_it_cannot_be_sent(
    settings: Settings, unused_port: int
) -> None:
    there = to_reset()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", unused_port
    with reading() as log:
        assert use(browser(), there).status_code == 302
    assert log.only("mail_not_sent")["cause"] == "mail: ConnectionRefusedError"
    assert password_is("ada", PASSWORD)


OUTAGES = pytest.mark.parametrize("outage", [no_redis, no_database], ids=lambda each: each.__name__)


@OUTAGES
@AT_EACH_DOOR
@pytest.mark.django_db(transaction=True)
def test_without_a_store_no_mail_is_sent(door: str, outage: Callable[[], Any]) -> None:
    make("ada")
    with outage():
        answer = ask(browser(), "sessions", door, "ada@example.org")
    assert (answer.status_code, mail.outbox) == (503, [])
    assert ask(browser(), "sessions", door, "ada@example.org").status_code == 200


@OUTAGES
@EACH_LINK
@pytest.mark.django_db(transaction=True)
def test_without_a_store_a_link_is_not_used_up(purpose: str, outage: Callable[[], Any]) -> None:
    """All of it or nothing: an account without a login would be one whose link is over."""
    there = LINKS[purpose]()
    before = rows()
    with outage():
        answer = use(browser(), there)
    if answer.status_code != 302:  # an address is changed without Redis
        assert (answer.status_code, rows()) == (503, before)
        assert use(browser(), there).status_code == 302
    assert (answer.status_code == 302) == (purpose == "email" and outage is no_redis)


# --- where a link may show up ---------------------------------------------------------------------


@EACH_LINK
def test_the_page_of_a_link_is_kept_nowhere_and_told_to_nobody(purpose: str) -> None:
    there = LINKS[purpose]()
    for answer in (browser().get(there), browser().get(there + "x"), use(browser(), there)):
        assert answer["Referrer-Policy"] == "strict-origin"
        assert "no-store" in answer["Cache-Control"]


@EACH_LINK
def test_no_link_is_written_down(purpose: str, flow: str) -> None:
    """R94: neither used, nor refused, nor where a request is refused before any page is asked."""
    with reading() as log:
        there = LINKS[purpose]()
        use(browser(), there + "x")
        browser().get(there)
        browser().get(there, headers={"Cookie": "__Host-sessionid=a; __Host-sessionid=b"})
        browser().get(there, headers={"Host": "evil.example"})
        browser().get(f"/nothing/{token_of(there)}/")
        use(browser(), there)
        use(browser(), there)
    causes = [line.get("cause", "") for line in log.lines("refused")]
    assert any(cause.startswith(f"{purpose} link: ") for cause in causes)
    parts = token_of(there).split(".")
    assert [part for part in [*parts, PASSWORD] if part in log.text] == []
    events = list(AuthEvent.objects.values_list("detail", "device", "user_agent"))
    assert [part for part in parts if part in str(events)] == []


def test_a_link_does_not_lead_where_the_one_who_asks_wants(settings: Settings) -> None:
    """Threat: mallory asks for ada's link with a `Host` of her own, and ada clicks on it."""
    make("ada")
    client = browser()
    fields = {"address": "ada@example.org"}
    for headers in ({"Host": "evil.example"}, {"Host": "evil.example:80"}):
        assert client.post("/sessions/reset/", fields, headers=headers).status_code == 400
    assert mail.outbox == []
    headers = {"X-Forwarded-Host": "evil.example", "Origin": "http://evil.example"}
    client.post("/sessions/reset/", fields, headers=headers)
    assert "http://testserver/sessions/reset/link/" in mail.outbox[-1].body
    settings.SITE_URL = "https://www.example.com"
    client.post("/sessions/reset/", fields, headers={"Host": "testserver:1337"})
    assert "https://www.example.com/sessions/reset/link/" in mail.outbox[-1].body
    assert "1337" not in mail.outbox[-1].body


def test_what_somebody_types_is_shown_as_text(client: Client) -> None:
    answer = ask(client, "sessions", "signup", '"<b>"@example.org')
    assert "<b>" not in answer.content.decode()
