"""Which checks are the same for both flows? Made here, for a flow by its key."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from django.conf import LazySettings

from accounts.client import FlowClient
from accounts.mirror import TRUST_SECONDS
from lab.audit.point import Check, Found
from lab.audit.scene import Login, Scene, readable, said, texts

DAY = 86400
LONGEST_LOGIN = 90 * DAY
HSTS_SECONDS = 31536000
CONNECTIONS = 8


def configured(
    holds: str,
    otherwise: str,
    *,
    names: tuple[str, ...],
    ids: tuple[str, ...] = (),
    test: Callable[[LazySettings], bool] = lambda settings: True,
) -> Check:
    """Settings: no system check of those `ids` complains, and `test` is true.

    The values of `names` are shown, so that none of them may hold a secret.
    """

    def look(scene: Scene) -> Found:
        wrong = [found for found in scene.messages() if found.id in ids]
        values = ", ".join(f"{name}={value_of(scene.settings, name)!r}" for name in names)
        complaints = " ".join(f"{found.id}: {found.msg}" for found in wrong)
        asked = f"settings; manage.py check ({', '.join(ids)})" if ids else "settings"
        is_safe = not wrong and test(scene.settings)
        return Found(is_safe, asked, " ".join(filter(None, (values, complaints))))

    return Check(holds, otherwise, look)


def value_of(settings: LazySettings, name: str) -> Any:
    """`SIMPLE_JWT.ALGORITHM` is that member of that setting; times are said in seconds."""
    first, _, member = name.partition(".")
    value = getattr(settings, first)
    value = value.get(member) if member else value
    return int(value.total_seconds()) if hasattr(value, "total_seconds") else value


# --- a story that both flows tell -----------------------------------------------------------


def refreshed_twice(scene: Scene, flow: str) -> tuple[Login, FlowClient, bool]:
    """A login, a copy of it from before two refreshes, and whether its secret is another now.

    Twice: the immediate predecessor is answered once more, for the seconds of the grace.
    """
    login = scene.login(flow)
    thief = scene.copy_of(login)
    login.client.refresh()
    login.client.refresh()
    now = dict(login.client.http.cookies)[login.cookie.key]
    return login, thief, now != login.cookie.value


# --- transport ------------------------------------------------------------------------------


def set_to_encrypt() -> Check:
    def look(scene: Scene) -> Found:
        names = ("ALLOWED_HOSTS", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS")
        values = ", ".join(f"{name}={value_of(scene.settings, name)!r}" for name in names)
        encrypts = (
            scene.settings.SECURE_SSL_REDIRECT
            and scene.settings.SECURE_HSTS_SECONDS >= HSTS_SECONDS
        )
        return Found(scene.is_local or encrypts, "settings", values)

    return Check(
        "The site answers this machine only, or is set to redirect to HTTPS and to say so (HSTS).",
        "Anybody on the way (a café's Wi-Fi, a provider) reads the password and the credential.",
        look,
    )


def encrypted(flow: str) -> Check:
    path = f"/api/{flow}/whoami/"

    def look(scene: Scene) -> Found:
        if scene.is_local:
            return Found(True, scene.url, "answers this machine only: nothing goes over a network")
        secure = scene.client(flow).send("GET", "whoami/")
        hsts = secure.headers.get("strict-transport-security", "")
        try:
            plain = scene.plain(path)
        except httpx.HTTPError:
            refused, answer = True, "no answer"
        else:
            target = plain.headers.get("location", "")
            refused = plain.is_redirect and target.startswith("https://")
            answer = f"{plain.status_code} {target}".strip()
        shown = f"{answer}; over HTTPS: Strict-Transport-Security: {hsts or '(none)'}"
        return Found(refused and max_age(hsts) >= HSTS_SECONDS, f"GET http://…{path}", shown)

    return Check(
        "Plain HTTP is not answered, and browsers are told not to try it (HSTS, a year); or it is "
        "answered to this machine only.",
        "Somebody on the way talks plain HTTP to the user, and HTTPS to the site.",
        look,
    )


def max_age(header: str) -> int:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age" and value.strip('"').isdecimal():
            return int(value.strip('"'))
    return 0


def guarded(flow: str, same_site: tuple[str, ...]) -> Check:
    def look(scene: Scene) -> Found:
        cookie = scene.standing(flow).cookie
        wrong = [
            words
            for words, is_right in (
                ("no Secure", cookie["secure"]),
                (f"SameSite is not {' or '.join(same_site)}", cookie["samesite"] in same_site),
                ("no __Host- before its name", cookie.key.startswith("__Host-")),
                ("a Domain", not cookie["domain"]),
                ("a Path other than /", cookie["path"] == "/"),
            )
            if not is_right
        ]
        return Found(not wrong, f"POST /api/{flow}/login/", ", ".join([shown(scene, flow), *wrong]))

    return Check(
        f"The cookie is Secure, SameSite={'|'.join(same_site)} and __Host-, for this host alone.",
        "It goes over plain HTTP, or along with another site's requests, or a sibling subdomain "
        "plants one of its own: the victim works in a login that the attacker chose.",
        look,
    )


def shown(scene: Scene, flow: str) -> str:
    """The cookie of a login with all its attributes, and without its secret."""
    cookie = scene.standing(flow).cookie
    return f"Set-Cookie: {cookie.OutputString().replace(cookie.coded_value, '…', 1)}"


def out_of_scripts_reach(flow: str) -> Check:
    def look(scene: Scene) -> Found:
        login = scene.standing(flow)
        in_body = login.cookie.value in login.response.text
        answer = shown(scene, flow) + ("; and its secret in the body" if in_body else "")
        return Found(
            bool(login.cookie["httponly"]) and not in_body, f"POST /api/{flow}/login/", answer
        )

    return Check(
        "The long-lived secret is in an HttpOnly cookie, and in no body.",
        "One injected script reads it, and its author is logged in elsewhere for weeks.",
        look,
    )


def not_kept(flow: str) -> Check:
    def look(scene: Scene) -> Found:
        login = scene.standing(flow)
        answers = {"POST login/": login.response, "GET me/": login.client.send("GET", "me/")}
        kept = {call: a.headers.get("cache-control", "(none)") for call, a in answers.items()}
        answer = "; ".join(f"{call}: Cache-Control: {value}" for call, value in kept.items())
        return Found(all("no-store" in v for v in kept.values()), f"/api/{flow}/", answer)

    return Check(
        "Answers that hold credentials or a profile are `no-store`.",
        "A cache on the way, or the next person at that browser, has the credential.",
        look,
    )


def asks_for_csrf(flow: str, method: str, path: str) -> Check:
    def look(scene: Scene) -> Found:
        forger = scene.copy_of(scene.standing(flow))
        forger.token = None
        answer = forger.send(method, path, headers={"X-CSRFToken": ""})
        asked = f"{method} /api/{flow}/{path} with the cookie, without the CSRF token"
        return Found(said(answer) == "403 csrf_failed", asked, said(answer))

    return Check(
        "A request that has only the cookie changes nothing: the CSRF token is asked for.",
        "Any page that the user visits acts in their name.",
        look,
    )


# --- payload --------------------------------------------------------------------------------


def says_nothing_of(text_of: Callable[[Login], str], flow: str, what: str) -> Check:
    def look(scene: Scene) -> Found:
        text = readable(text_of(scene.standing(flow))).casefold()
        personal = scene.personal(flow)
        there = sum(word in text for word in personal)
        answer = f"{there} of {len(personal)} words about the user are in it"
        return Found(not there, f"{what}, decoded", answer)

    return Check(
        f"Nothing personal can be read in {what}.",
        "It stands in logs, proxies and browsers, and whoever sees it there reads it.",
        look,
    )


# --- revocation -----------------------------------------------------------------------------


def logout_ends(flow: str, method: str, path: str, *, bound: Callable[[Scene], float]) -> Check:
    """After the logout `method path` with the old credential is refused within `bound` seconds."""

    def look(scene: Scene) -> Found:
        login = scene.login(flow)
        copies = [scene.copy_of(login) for _ in range(CONNECTIONS)]
        before = copies[0].send("GET", "whoami/").status_code
        out = login.client.send("POST", "logout/")
        answers = asked_until_refused(copies, method, path, bound(scene))
        refused = all(answer.startswith("401") for answer in answers)
        answer = (
            f"before: {before}; logout: {out.status_code}; the old credential over "
            f"{CONNECTIONS} connections at once: {', '.join(sorted(set(answers)))}"
        )
        asked = f"POST /api/{flow}/logout/, then {method} {path}"
        return Found(before == 200 and out.status_code == 204 and refused, asked, answer)

    return Check(
        f"After a logout the old credential is refused by {method} {path}, in every process.",
        "A user who logs out at a shared computer is still logged in there, and so is a thief.",
        look,
    )


def device_ends(flow: str, method: str, path: str, *, bound: Callable[[Scene], float]) -> Check:
    def look(scene: Scene) -> Found:
        lost, own = scene.login(flow), scene.standing(flow)
        device = lost.client.whoami()["device"]
        ended = own.client.send("DELETE", f"devices/{device}/")
        answers = asked_until_refused([scene.copy_of(lost)], method, path, bound(scene))
        asked = f"DELETE /api/{flow}/devices/…/, then {method} {path} of that device"
        answer = f"{ended.status_code}; then {answers[0]}"
        return Found(ended.status_code == 204 and answers[0].startswith("401"), asked, answer)

    return Check(
        "A device that the user ends in the list of devices is logged out.",
        "A lost telephone goes on being logged in, and its owner believes that it is not.",
        look,
    )


def asked_until_refused(
    copies: list[FlowClient], method: str, path: str, bound: float
) -> list[str]:
    """What each is told, all at once; until `bound` seconds are over they may ask again."""

    def ask(copy: FlowClient) -> str:
        return said(copy.send(method, path))

    until = time.monotonic() + bound
    with ThreadPoolExecutor(len(copies)) as pool:
        while True:
            answers = list(pool.map(ask, copies))
            if all(a.startswith("401") for a in answers) or time.monotonic() >= until:
                return answers
            time.sleep(0.05)


def announced(name: str) -> Callable[[Scene], float]:
    """At once; where `name` is "push", or cannot be seen, within what a mirror may be late by."""

    def bound(scene: Scene) -> float:
        is_asked = scene.inside and getattr(scene.settings, name) != "push"
        return 0 if is_asked else TRUST_SECONDS

    return bound


# --- storage --------------------------------------------------------------------------------


def not_in_redis(flow: str, secrets_of: Callable[[Login], tuple[str, ...]]) -> Check:
    def look(scene: Scene) -> Found:
        login = scene.standing(flow)
        held = texts(scene.redis(), login.user_id)
        revealing = [
            key
            for key, value in held.items()
            if any(secret in key or secret in value for secret in secrets_of(login))
        ]
        answer = f"{len(held)} keys of this user, {len(revealing)} of them with a usable secret"
        return Found(not revealing, "Redis: SCAN, and every value", answer)

    return Check(
        "No key and no value in Redis holds a credential that could be presented.",
        "Anybody who lists the keys of Redis, or reads a backup of it, can log in.",
        look,
    )
