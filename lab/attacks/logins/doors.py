"""Where can a password be tried? At every door of the site, by whoever has none of its cookies."""

from __future__ import annotations

import re

import httpx

from lab.attacks.person import Person

WRONG = "not-her-password-1"
# The pages' doors have a form; the admin's leads to the first of them.
PAGES = ("/sessions/login/", "/jwt/login/")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def by_form(person: Person, note: str, page: str, password: str, **more: str) -> httpx.Response:
    """Log in by the form of a page, as a browser does."""
    # The token alone, and not the page, which would be a screenful of evidence.
    form = person.http.get(page).text
    token = TOKEN.search(form)
    fields = {"username": person.username, "password": password, **more}
    fields["csrfmiddlewaretoken"] = token[1] if token else ""
    return person.raw(note, "POST", page, data=fields)


def was_judged(answer: httpx.Response) -> bool:
    """Whether the password was looked at: right or wrong, and not refused before that."""
    return answer.status_code in (200, 302, 401)
