"""Does each answer lead where its proofs lead, and does every claim on the page have one?"""

import re
from collections.abc import Iterator
from itertools import product

import pytest
from django.test import Client
from pytest_django import Settings

from lab import proofs
from lab.audit import points
from lab.decide.page import listed, of_tables
from lab.decide.questions import ALWAYS, QUESTIONS, rests_on_redis
from lab.decide.recommend import Recommendation, reasons, recommend
from lab.decide.tables import COMPARISONS
from lab.proofs import Attacked, Counted, Differs, Measured, Proof, Stated, Written, attacks
from lab.strategies import STRATEGIES
from tests.outages import REDIS_AWAY, needs_redis_server, private_redis

pytestmark = pytest.mark.once

ALL = {strategy.key for strategy in STRATEGIES}


def keys(standings: object) -> list[str]:
    return [standing.strategy.key for standing in standings]  # type: ignore[attr-defined]


# --- the proofs -----------------------------------------------------------------------------


def of_rules() -> Iterator[Proof]:
    """What is said of any strategy, whatever is answered."""
    for question, strategy in product(QUESTIONS, STRATEGIES):
        for answer in question.answers:
            for reason in reasons(strategy.key, {question.key: answer.key}):
                yield from reason.proofs


def of_the_audit() -> Iterator[Proof]:
    return (proof for point in points() for proof in point.deeper)


PROOFS = listed([*of_rules(), *of_tables(), *of_the_audit()])
OF_ATTACKS = [proof for proof in PROOFS if isinstance(proof, Attacked | Counted)]


def test_every_proof_leads_somewhere() -> None:
    missing = [proof for proof in PROOFS if proof not in OF_ATTACKS and not proof.exists()]

    assert missing == []
    assert len({proof.anchor for proof in PROOFS}) == len(PROOFS)
    kinds = {"differs", "measured", "stated", "tested", "written"}
    assert {proof.kind for proof in PROOFS} >= kinds


def test_every_attack_that_is_named_is_in_the_catalogue() -> None:
    if not attacks():
        pytest.skip("this checkout has no catalogue of attacks")

    assert [proof for proof in OF_ATTACKS if not proof.exists()] == []


@pytest.mark.parametrize(
    "proof",
    [
        Measured("latency_p50", "nobody"),
        Measured("latency_p50", "jwt-expiry", (("clients", 7),)),
        Differs("nothing", "jwt"),
        Attacked("no-such-attack"),
        proofs.Tested("tests/lab/test_decide.py::test_of_nobody"),
        proofs.Tested("tests/lab/test_nobody.py"),
        Written("docs/security.md#nowhere"),
        Written("docs/nothing.md"),
    ],
    ids=lambda proof: proof.kind,
)
def test_what_is_not_there_proves_nothing(proof: Proof) -> None:
    assert not proof.exists()


def test_every_rule_and_every_cell_has_a_proof_and_every_rule_meets_somebody() -> None:
    rules = [*ALWAYS, *(r for q in QUESTIONS for answer in q.answers for r in answer.rules)]

    assert [rule.words for rule in rules if not rule.proofs] == []
    assert [rule.words for rule in rules if not any(map(rule.which, ALL))] == []
    for table in COMPARISONS:
        for line in table.lines:
            width = 1 + bool(line.says) + len(line.cells)
            assert width == len(table.columns), line.name
            assert all(cell.words and "{" not in cell.words for cell in line.cells)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("lab", "ada")
@needs_redis_server
def test_what_rests_on_redis_is_known(settings: Settings) -> None:
    """`lab.differences` speaks of the flows here: the check of each strategy is tried out."""
    with private_redis(settings) as server:
        browsers = {key: logged_in(key) for key in ALL}
        with REDIS_AWAY["killed"](server):
            found = {key: whoami(key, *browser) for key, browser in browsers.items()}

    assert found == {key: 503 if rests_on_redis(key) else 200 for key in ALL}


def logged_in(key: str) -> tuple[Client, dict[str, str]]:
    client = Client()
    answer = client.post(
        f"/lab/strategies/{key}/login/",
        {"username": "ada", "password": "ada-demo-password"},
        content_type="application/json",
    )
    token = answer.json()["credential"]["token"]
    return client, {"authorization": f"Bearer {token}"} if token else {}


def whoami(key: str, client: Client, headers: dict[str, str]) -> int:
    return client.get(f"/lab/strategies/{key}/whoami/", headers=headers).status_code


# --- the recommendation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "best"),
    [
        ({"verify": "one", "revoke": "request", "clients": "browsers"}, ["session-redis"]),
        ({"verify": "one", "clients": "browsers"}, ["session-redis", "session-push"]),
        ({"revoke": "request", "verify": "many", "redis": "far"}, ["jwt-push"]),
        ({"revoke": "seconds", "redis": "far", "team": "django"}, ["session-push"]),
        ({"revoke": "minutes", "verify": "others", "down": "redis"}, ["jwt-expiry"]),
        ({"redis": "none", "revoke": "request"}, ["session-database"]),
        ({"clients": "browsers", "down": "redis", "verify": "many"}, ["jwt-cookie"]),
        ({"roles": "request", "verify": "others", "team": "neither"}, ["jwt-lookup"]),
    ],
)
def test_a_team_gets_what_fits_it(choice: dict[str, str], best: list[str]) -> None:
    assert keys(recommend(choice).best) == best


def test_the_weak_one_is_never_recommended() -> None:
    for question in QUESTIONS:
        for answer in question.answers:
            found = recommend({question.key: answer.key})
            assert "jwt-naive" in keys(found.excluded)


def test_every_strategy_stands_once_and_the_best_have_the_highest_score() -> None:
    every = [(q.key, a.key) for q in QUESTIONS for a in q.answers]
    for one, other in product(every, every):
        found = recommend(dict([one, other]))
        standing = [*keys(found.best), *keys(found.others), *keys(found.excluded)]
        assert sorted(standing) == sorted(ALL)
        assert len({each.score for each in found.best}) <= 1
        assert all(other.score < found.best[0].score for other in found.others)


def contradiction() -> Recommendation:
    return recommend({"revoke": "request", "redis": "none", "down": "database", "verify": "many"})


def test_a_contradiction_says_what_could_be_given_up_and_what_is_left_then() -> None:
    found = contradiction()

    assert found.best == found.others == ()
    given_up = {
        tuple(question.key for question in questions): {strategy.key for strategy in left}
        for questions, left in found.give_up
    }
    assert given_up == {
        ("revoke",): {"jwt-expiry", "jwt-cookie"},
        ("redis",): {"session-redis", "session-push", "jwt-lookup", "jwt-push"},
        ("down",): {"session-database"},
    }


# --- the page -------------------------------------------------------------------------------


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/lab/decide/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_the_lab_there_are_no_pages(client: Client) -> None:
    assert {client.get(f"/lab/{name}/").status_code for name in ("decide", "audit")} == {404}


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Nothing is answered yet"),
        ("?redis=far&amp;team=", "Nothing"),
        ("?revoke=request&verify=many&redis=far", "<strong>jwt-push</strong>: "),
        ("?verify=one", "A tie: nothing that you answered tells <strong>session-redis"),
        ("?revoke=request&redis=none&down=database", "Nothing fulfils all of it."),
        ("?revoke=<b>", "“&lt;b&gt;” is no answer to: How soon"),
    ],
)
def test_the_page_answers_by_its_address(client: Client, query: str, said: str) -> None:
    assert said in page(client, query)


@pytest.mark.django_db
@pytest.mark.usefixtures("lab")
def test_every_proof_opens_in_the_running_site_where_it_stands(client: Client) -> None:
    """`named`: what the line has to say that the link marks."""
    named = {
        Differs: lambda proof: proof.key,
        Measured: lambda proof: f"&quot;measure&quot;: &quot;{proof.measure}&quot;",
        Stated: lambda proof: proof.key,
        proofs.Tested: lambda proof: proof.test.partition("::")[2],
        Written: lambda proof: "#",
    }
    pages: dict[str, str] = {}
    for proof in PROOFS:
        path, _, anchor = proof.url.partition("#")
        assert path, f"{proof} opens nowhere"
        if path not in pages:
            answer = client.get(path, headers={"accept": "text/html"})
            assert answer.status_code == 200, proof
            pages[path] = answer.content.decode()
        assert not anchor or f'id="{anchor}"' in pages[path], proof
        if type(proof) in named:
            marked = re.findall(r'aria-current="true">(.*?)</li>', pages[path])
            assert any(named[type(proof)](proof) in line for line in marked), proof
        if isinstance(proof, Measured):
            assert f"&quot;{proof.subject}&quot;" in pages[path], proof


def test_without_the_lab_a_proof_opens_nowhere_and_says_where_it_stands() -> None:
    assert {proof.url for proof in PROOFS} == {""}
    assert all(proof.how for proof in PROOFS)


@pytest.mark.usefixtures("lab")
def test_every_link_to_a_proof_has_its_end_on_the_page(client: Client) -> None:
    text = page(client, "?revoke=request&verify=others&redis=far&clients=apps&show=devices")
    ids = re.findall(r'id="([^"]+)"', text)

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= {*ids, "main"}
    assert 'value="others" checked' in text
