"""Can an operator end logins from outside, above all after a backup was restored? (R44, R65)"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import lifecycle
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from jwt_api.models import TokenFamily
from tests.accounts.backup import Backup
from tests.accounts.people import make
from tests.accounts.racing import browser, copy_of, log_in, post

FLOWS = [flow.key for flow in flows()]
# In the order in which they can be written back.
TABLES: list[Any] = [User, OutstandingToken, BlacklistedToken, TokenFamily]


def refresh(client: Client, flow: str) -> Any:
    return post(client, f"/api/{flow}/refresh/")


def logged_in(flow: str, username: str = "ada") -> Client:
    client = browser()
    log_in(client, flow, username)
    return client


@pytest.mark.parametrize("flow", FLOWS)
def test_named_users_are_out_and_others_are_not(ada: User, grace: User, flow: str) -> None:
    clients = [logged_in(flow), logged_in(flow)]
    other = logged_in(flow, "grace")
    call_command("end_logins", "ada")
    for client in clients:
        assert refresh(client, flow).json()["code"] == "credential_revoked"
    assert refresh(other, flow).status_code == 200
    event = AuthEvent.objects.get(kind=AuthEvent.Kind.LOGOUT_ALL)
    assert (event.user, event.ip, event.detail) == (ada, None, "by an operator")
    assert refresh(logged_in(flow), flow).status_code == 200


def test_everybody_is_out(ada: User, grace: User, capsys: pytest.CaptureFixture[str]) -> None:
    clients = [(logged_in(flow, name), flow) for flow in FLOWS for name in ("ada", "grace")]
    call_command("end_logins", "--all")
    assert "2 users" in capsys.readouterr().out
    assert {refresh(client, flow).status_code for client, flow in clients} == {401}


def test_after_a_restored_backup_nothing_that_was_ended_lives_on(ada: User) -> None:
    """Threat: the backup knows nothing of the logouts since, nor of the tokens used since."""
    stolen = {flow: logged_in(flow) for flow in FLOWS}
    victims = {flow: copy_of(client) for flow, client in stolen.items()}
    backup = Backup(*TABLES)
    for flow, client in victims.items():
        post(client, f"/api/{flow}/logout/")
    User.objects.get().raise_epoch()
    User.objects.get().raise_epoch()
    since = {flow: logged_in(flow) for flow in FLOWS}
    backup.restore()
    assert refresh(copy_of(stolen["jwt"]), "jwt").status_code == 200, "why the command is needed"
    call_command("end_logins", "--all")
    for held in (stolen, victims, since):
        for flow, client in held.items():
            assert refresh(client, flow).status_code == 401, flow
    for flow in FLOWS:
        assert refresh(logged_in(flow), flow).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name the users"),
        (["ada", "--all"], "Name the users"),
        (["ada", "nobody"], "no user named nobody"),
    ],
)
def test_what_is_unclear_ends_nothing(ada: User, arguments: list[str], sentence: str) -> None:
    client = logged_in("sessions")
    with pytest.raises(CommandError, match=sentence):
        call_command("end_logins", *arguments)
    assert refresh(client, "sessions").status_code == 200


def test_a_store_that_is_away_is_one_sentence(ada: User, settings: Any) -> None:
    client = logged_in("sessions")
    caches = settings.CACHES
    settings.CACHES = {
        **caches,
        "auth": {**caches["auth"], "LOCATION": "unix:///nonexistent/redis.sock?db=0"},
    }
    with pytest.raises(CommandError, match="logins of 0 users were ended"):
        call_command("end_logins", "ada")
    settings.CACHES = caches
    assert refresh(client, "sessions").status_code == 200


@pytest.fixture
def grace_is_deleted_meanwhile(
    ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Once the logins of the first user have been ended; the list of users was read before."""
    end_logins = lifecycle.end_logins

    def and_delete_grace(request: Any, user: User, **options: Any) -> None:
        end_logins(request, user, **options)
        User.objects.filter(username="grace").delete()

    monkeypatch.setattr(lifecycle, "end_logins", and_delete_grace)
    yield
    assert not User.objects.filter(username="grace").exists()


@pytest.mark.usefixtures("grace_is_deleted_meanwhile")
def test_who_is_deleted_meanwhile_does_not_save_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Threat: after a restore, everybody behind a deleted user would be logged in again."""
    last = make("mary")
    client = logged_in("jwt", last.username)
    call_command("end_logins", "--all")
    assert "2 users" in capsys.readouterr().out
    assert refresh(client, "jwt").status_code == 401


@pytest.mark.usefixtures("grace_is_deleted_meanwhile")
def test_an_admin_who_ends_the_logins_of_a_deleted_user_is_told_how_many_there_were() -> None:
    make("admin", is_staff=True, is_superuser=True)
    last = make("mary")
    client, admin = logged_in("jwt", last.username), logged_in("sessions", "admin")
    users = User.objects.exclude(username="admin").values_list("pk", flat=True)
    form = {"action": "end_logins", "_selected_action": list(users)}
    answer = admin.post("/admin/accounts/user/", form, follow=True)
    assert "Ended every login of 2 users." in answer.content.decode()
    assert refresh(client, "jwt").status_code == 401


PASSWORDS = {"current_password": "ada-demo-password", "new_password": "seven-swallows"}
LATE = {"logout-all/": ("end_logins", {}), "password/": ("prove_password", PASSWORDS)}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("path", LATE)
def test_who_is_deleted_during_a_call_is_out(
    ada: User, flow: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # R71
    """The row was there when the call looked, and is not when it writes, or checks a password."""
    client = browser()
    token = log_in(client, flow)["credential"]["token"]
    step, body = LATE[path]
    go_on = getattr(lifecycle, step)

    def too_late(*args: Any, **options: Any) -> Any:
        User.objects.filter(pk=ada.pk).delete()
        return go_on(*args, **options)

    monkeypatch.setattr(lifecycle, step, too_late)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = post(client, f"/api/{flow}/{path}", body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")


def test_an_admin_ends_every_login_of_a_user(ada: User) -> None:  # R65
    make("admin", is_staff=True, is_superuser=True)
    clients = [(logged_in(flow), flow) for flow in FLOWS]
    admin = logged_in("sessions", "admin")
    form = {"action": "end_logins", "_selected_action": [ada.pk]}
    assert admin.post("/admin/accounts/user/", form).status_code == 302
    assert {refresh(client, flow).status_code for client, flow in clients} == {401}
    event = AuthEvent.objects.get(kind=AuthEvent.Kind.LOGOUT_ALL)
    assert (event.user, event.detail) == (ada, "by admin in the admin")
