"""What does the lab show of what the server holds? One's own entries, and no secret. (R94)"""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import Client
from pytest_django import Settings

from accounts.contract.registry import flows
from accounts.models import User
from jwt_api import denylist
from lab.strategies import STRATEGIES
from tests.accounts.racing import browser, copy_of, end_grace, log_in, post

FLOWS = [flow.key for flow in flows()]
SECRET_COOKIES = {
    site_settings.SESSION_COOKIE_NAME,
    site_settings.REFRESH_COOKIE_NAME,
    site_settings.CSRF_COOKIE_NAME,
}


def enter(flow: str, username: str = "ada") -> tuple[Client, dict[str, str]]:
    """A browser that is logged in, and the header that it sends."""
    client = browser()
    token = log_in(client, flow, username)["credential"]["token"]
    return client, {"authorization": f"Bearer {token}"} if token else {}


def enter_strategy(key: str, username: str = "ada") -> tuple[Client, dict[str, str]]:
    client = browser()
    body = {"username": username, "password": f"{username}-demo-password"}
    token = post(client, f"/lab/strategies/{key}/login/", body).json()["credential"]["token"]
    return client, {"authorization": f"Bearer {token}"} if token else {}


def remembered(flow: str, client: Client, headers: dict[str, str]) -> Any:
    return client.get(f"/lab/remembered/{flow}/", headers=headers)


@pytest.mark.parametrize("flow", FLOWS)
def test_entries_say_where_what_and_for_how_long(lab: None, ada: User, flow: str) -> None:
    client, headers = enter(flow)
    answer = remembered(flow, client, headers)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    entries = answer.json()["entries"]
    assert len(entries) >= 2
    for entry in entries:
        assert entry.keys() == {"where", "name", "value", "expires_in"}
        assert entry["where"] in ("Redis", "database")
        assert entry["name"]
        assert entry["expires_in"] > 0


@pytest.mark.parametrize("flow", FLOWS)
def test_device_is_named_and_says_when_it_was_refreshed(lab: None, ada: User, flow: str) -> None:
    client, headers = enter(flow)
    device = client.get(f"/api/{flow}/whoami/", headers=headers).json()["device"]
    before = remembered(flow, client, headers).json()["entries"]
    assert device in str(before)
    post(client, f"/api/{flow}/refresh/")
    assert remembered(flow, client, headers).json()["entries"] != before


@pytest.mark.parametrize("flow", FLOWS)
def test_no_secret_is_shown(lab: None, ada: User, flow: str) -> None:
    client, headers = enter(flow)
    held = [client.cookies[name].value for name in SECRET_COOKIES if name in client.cookies]
    post(client, f"/api/{flow}/refresh/")
    held += [client.cookies[name].value for name in SECRET_COOKIES if name in client.cookies]
    held += [value.removeprefix("Bearer ") for value in headers.values()]
    shown = remembered(flow, client, headers).content.decode()
    assert len(held) >= 2
    for secret in held:
        assert secret not in shown
        for part in secret.split("."):
            assert len(part) < 16 or part not in shown
    assert "eyJhbGci" not in shown
    assert ada.password not in shown
    assert "_auth_user_hash" not in shown


@pytest.mark.parametrize("key", ["jwt-lookup", "jwt-push"])
def test_what_is_denied_is_shown_for_as_long_as_it_is_where_the_check_reads_it(
    lab: None, ada: User, key: str
) -> None:
    phone, headers = enter_strategy(key)
    ended = phone.get(f"/lab/strategies/{key}/whoami/", headers=headers).json()["device"]
    assert post(phone, f"/lab/strategies/{key}/logout/").status_code == 204
    client, headers = enter_strategy(key)
    entries = {each["name"]: each for each in remembered(key, client, headers).json()["entries"]}
    denied = entries[f"denied:{{{ada.pk}}}:{ended}"]
    assert (denied["where"], denied["value"]) == ("Redis", "1")
    assert 0 < denied["expires_in"] <= denylist.longest_life()
    assert entries["denied:since"]["expires_in"] is None
    unasked = remembered("jwt-expiry", client, headers).content.decode()
    assert "denied:" not in unasked


LOOKING_BACK = [row.key for row in STRATEGIES if row.looking_back]


def reused(key: str) -> tuple[Client, dict[str, str], str]:
    """A login that was ended because a thief's copy of its refresh token came too late."""
    client, headers = enter_strategy(key)
    thief = copy_of(client)
    device = client.get(f"/lab/strategies/{key}/whoami/", headers=headers).json()["device"]
    assert post(client, f"/lab/strategies/{key}/refresh/").status_code == 200
    end_grace()
    refused = post(thief, f"/lab/strategies/{key}/refresh/")
    assert refused.json()["code"] == "credential_reused"
    return client, headers, device


@pytest.mark.parametrize("key", LOOKING_BACK)
def test_after_a_reuse_its_holder_goes_on_seeing_that_login_and_no_other(
    lab: None, ada: User, key: str
) -> None:
    other, other_headers = enter_strategy(key)
    elsewhere = other.get(f"/lab/strategies/{key}/whoami/", headers=other_headers).json()["device"]
    client, headers, device = reused(key)
    answer = client.get(f"/lab/remembered/{key}/ended/", headers=headers)
    assert "no-store" in answer["Cache-Control"]
    (family,) = answer.json()["families"]
    assert (family["device"], family["live"], family["reused"]) == (device, False, True)
    assert family["state"] == "ended: a refresh token was used twice"
    assert answer.json()["entries"]
    assert elsewhere not in answer.content.decode()
    everything = remembered(key, other, other_headers).json()["families"]
    assert {each["device"]: each["reused"] for each in everything} == {
        device: True,
        elsewhere: False,
    }


def test_a_login_that_ended_otherwise_was_not_reused(lab: None, ada: User) -> None:
    client, headers = enter_strategy("jwt-push")
    assert post(client, "/lab/strategies/jwt-push/logout/").status_code == 204
    answer = client.get("/lab/remembered/jwt-push/ended/", headers=headers)
    (family,) = answer.json()["families"]
    assert (family["live"], family["reused"]) == (False, False)


def test_who_never_held_a_login_looks_back_at_nothing(lab: None, ada: User, mallory: User) -> None:
    _, _, device = reused("jwt-push")
    assert browser().get("/lab/remembered/jwt-push/ended/").status_code == 401
    forged = {"authorization": f"Bearer {'e30.' * 2}e30"}
    answer = browser().get("/lab/remembered/jwt-push/ended/", headers=forged)
    assert answer.status_code == 401
    client, headers = enter_strategy("jwt-push", "mallory")
    shown = client.get("/lab/remembered/jwt-push/ended/", headers=headers).content.decode()
    assert device not in shown


def test_a_strategy_that_keeps_nothing_of_an_ended_login_has_no_past(lab: None, db: None) -> None:
    assert LOOKING_BACK == ["jwt-expiry", "jwt-lookup", "jwt-push", "jwt-cookie"]
    for row in STRATEGIES:
        status = browser().get(f"/lab/remembered/{row.key}/ended/").status_code
        assert status == (401 if row.looking_back else 404)


@pytest.mark.parametrize("flow", FLOWS)
def test_everybody_sees_their_own_only(lab: None, ada: User, mallory: User, flow: str) -> None:
    hers, her_headers = enter(flow, "ada")
    device = hers.get(f"/api/{flow}/whoami/", headers=her_headers).json()["device"]
    client, headers = enter(flow, "mallory")
    shown = remembered(flow, client, headers).content.decode()
    assert device not in shown
    assert f"{{{ada.pk}}}" not in shown


@pytest.mark.parametrize("flow", FLOWS)
def test_visitor_is_shown_nothing(lab: None, db: None, flow: str) -> None:
    answer = remembered(flow, browser(), {})
    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert "WWW-Authenticate" in answer


@pytest.mark.parametrize("flow", FLOWS)
def test_credential_of_another_flow_opens_nothing(lab: None, ada: User, flow: str) -> None:  # R72
    client, headers = enter(flow)
    for other in set(FLOWS) - {flow}:
        assert remembered(other, client, headers).status_code == 401


@pytest.mark.parametrize("flow", FLOWS)
def test_only_reading_is_possible(lab: None, ada: User, flow: str) -> None:
    client, headers = enter(flow)
    for method in ("post", "put", "patch", "delete"):
        answer = getattr(client, method)(f"/lab/remembered/{flow}/", headers=headers)
        assert answer.status_code == 405


def test_unknown_flow_is_not_found(lab: None, db: None) -> None:
    assert browser().get("/lab/remembered/basic/").status_code == 404


def test_without_the_lab_there_is_none(db: None, settings: Settings) -> None:
    assert not settings.LAB
    for flow in FLOWS:
        assert browser().get(f"/lab/remembered/{flow}/").status_code == 404


def test_home_page_names_the_lab_only_where_it_is(lab: None, db: None) -> None:
    assert b"/lab/remembered/" in browser().get("/").content


def test_home_page_without_the_lab_offers_no_passwords(db: None, settings: Settings) -> None:
    page = browser().get("/").content
    assert b"/lab/" not in page
    assert b"demo-password" not in page
