"""Does a header of a megabyte hold anybody up? What else a header can be: `test_hostile_input.py`.

Not among them is Content-Type, which Django reads before any code of ours could look at its
length: a megabyte of parameters takes it seconds. There the server's own limit stands
(`test_wire.py`), and `test_hostile_input.py` has a type of all that it lets through.
"""

import time

import pytest

from tests.contract.answers import CALM_SECONDS, assert_calm, latin1
from tests.contract.clock import best_of_three
from tests.contract.people import Enter, Person

MEGABYTE = 1_000_000
HEADERS = {
    "agent": {"User-Agent": "x" * MEGABYTE},
    "token": {"Authorization": "Bearer " + "x" * MEGABYTE},
    "dots": {"Authorization": "Bearer " + "." * MEGABYTE},
    "spaces": {"Authorization": "Bearer" + " x" * (MEGABYTE // 2)},
    "cookie": {"Cookie": "__Host-refresh=" + "x" * MEGABYTE},
    "session": {"Cookie": "__Host-sessionid=" + "x" * MEGABYTE},
    "cookies": {"Cookie": "".join(f"c{i}=1;" for i in range(120_000))},
    "semicolons": {"Cookie": ";" * MEGABYTE},
    "quotes": {"Cookie": 'x="' + "\\0" * (MEGABYTE // 2)},
    "CSRF token": {"X-CSRFToken": "x" * MEGABYTE},
    "origin": {"Origin": "https://" + "x" * MEGABYTE},
    "proxies": {"X-Forwarded-For": "1.1.1.1," * (MEGABYTE // 8)},
    "referer": {"Referer": "https://" + "x" * MEGABYTE},
}


@pytest.mark.alone
@pytest.mark.once
@pytest.mark.inside("servers have a limit of their own; see test_wire.py")
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_header_of_a_megabyte_holds_nobody_up(
    enter: Enter, ada: Person, headers: dict[str, str]
) -> None:
    client = enter(ada)
    flow = client.flow
    paths = ("/api/{}/whoami/", "/api/{}/refresh/", "/{}/login/", "/{}/profile/", "/admin/")
    for path in (path.format(flow) for path in paths):

        def seconds(path: str = path) -> float:
            start = time.perf_counter()
            assert_calm(client.http.get(path, headers=latin1(headers)))
            return time.perf_counter() - start

        assert best_of_three(seconds, promised=CALM_SECONDS) < CALM_SECONDS, path
    assert client.refresh()
