"""Do browser attacks really take place, in a real browser and from a real second site?

That every one of them comes out as it says is tested with the whole matrix, in `test_attacks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from lab.attacks.attack import Attack, Verdict
from lab.attacks.browsers.chromium import chromium, find_browser, why_no_browser
from lab.attacks.browsers.second_site import Where, second_site
from lab.attacks.browsers.visit import line_of, tokens_in
from lab.attacks.catalogue import ATTACKS, attack
from lab.attacks.matrix import EVERY
from lab.attacks.scene import Scene
from lab.attacks.stage import Stage, staged
from lab.client import place_of_token
from lab.strategies import STRATEGIES, Strategy
from lab.weakened import WEAKENED, Weakened

pytestmark = pytest.mark.once

ROWS = {row.key: row for row in EVERY}
BY_BROWSER = [each for each in ATTACKS if each.needs_browser]
# Each way to attack, once against what stops it, and once against what does not.
HANDFUL = (
    ("read-storage", "jwt-expiry"),
    ("read-storage", "jwt-naive"),
    ("read-storage-under-csp", "jwt-naive"),
    ("submit-from-a-sibling", "session-database"),
    ("submit-from-a-sibling", "session-no-csrf"),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage"), {}, workers=1) as running:
        yield running
    chromium.close()


@pytest.mark.thorough
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("name", "key"), HANDFUL)
def test_a_cell_comes_out_as_its_attack_says(stage: Stage, name: str, key: str) -> None:
    tried = attack(name)
    with closing(Scene(stage, ROWS[key])) as scene:
        outcome = tried.run(scene)
    assert outcome.verdict is tried.expected[key]
    assert outcome.verdict is not Verdict.STOPPED or outcome.held is not None
    assert {each.who for each in outcome.evidence} == {"ada", "mallory"}
    assert stage.password not in repr(outcome)


# --- what is expected ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", WEAKENED, ids=lambda row: row.key)
def test_what_was_taken_out_is_what_stops_the_attack_elsewhere(row: Weakened) -> None:
    """Else the variant would teach nothing: it has to lose what its sound sibling wins."""
    lost = [each for each in ATTACKS if each.expected.get(row.key) is Verdict.SUCCEEDS]
    assert any(each.expected[row.sound] is Verdict.STOPPED for each in lost)


@pytest.mark.parametrize("tried", BY_BROWSER, ids=lambda each: each.key)
def test_the_place_that_held_is_found_for_whoever_stops_it(tried: Attack) -> None:
    assert tried.precondition
    assert Verdict.STOPPED in tried.expected.values() or tried.key == "use-the-session"


def test_a_line_that_is_gone_is_not_pointed_at() -> None:
    with pytest.raises(StopIteration):
        line_of("authdemo/settings.py", "NO_SUCH_SETTING")


# --- without a browser --------------------------------------------------------------------------


def no_browser() -> Path | None:
    return None


def test_without_a_browser_an_attack_is_not_run_and_not_called_stopped(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.FIND_BROWSER = f"{__name__}.no_browser"
    assert find_browser() is None
    assert "apt install chromium" in why_no_browser()
    with pytest.raises(CommandError, match="needs Chromium"):
        call_command("attack", "read-storage")
    assert "read-storage: not run, needs Chromium" in capsys.readouterr().out


# --- the second site ----------------------------------------------------------------------------


def test_the_second_site_shows_catches_and_plants_under_both_of_its_names() -> None:
    with second_site() as site:
        page = site.show("<p>Hello", cookies=("a=b; Path=/",))
        for where in Where:
            answer = httpx.get(site.url(page, where))
            assert answer.text.endswith("<p>Hello")
            assert answer.headers["Set-Cookie"] == "a=b; Path=/"
        collector = site.collector()
        headers = {"Referer": "http://here/", "Cookie": "c=d"}
        httpx.post(site.url(collector), content=b"loot", headers=headers)
        (caught,) = site.wait_for(collector)
        assert (caught.body, caught.referer, caught.cookies) == ("loot", "http://here/", "c=d")
        assert httpx.get(site.url("/nothing")).status_code == 404
        assert site.wait_for(site.collector(), seconds=0) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(site.url(page))


def test_everything_in_the_loot_is_tried_the_longest_first() -> None:
    loot = '{"local": {"token": "abc"}, "cookies": "a=1; b=22", "memory": ["x"], "none": null}'
    assert tokens_in(loot) == ["b=22", "a=1", "abc", "x"]


# --- the page that is attacked ------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("row", EVERY, ids=lambda row: row.key)
def test_every_one_has_a_page_and_a_weak_one_says_so(
    lab: None, client: Client, row: Strategy
) -> None:
    answer = client.get(f"/lab/client/{row.key}/")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert ("Weak on purpose." in answer.content.decode()) == bool(row.weak)
    assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_only_the_naive_one_keeps_its_token_in_storage() -> None:
    places = {row.key: place_of_token(row) for row in STRATEGIES}
    assert [key for key, place in places.items() if place == "localStorage"] == ["jwt-naive"]
    memory = [key for key, place in places.items() if place == "memory"]
    assert memory == ["jwt-expiry", "jwt-lookup", "jwt-push"]


@pytest.mark.django_db
def test_there_is_no_page_for_what_there_is_not_and_none_without_the_lab(
    client: Client, request: pytest.FixtureRequest
) -> None:
    assert client.get("/lab/client/jwt-naive/").status_code == 404
    request.getfixturevalue("lab")
    assert client.get("/lab/client/jwt-basic/").status_code == 404
