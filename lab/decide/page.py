"""Which strategy fits a team? A form that is asked by its address, an answer with its proofs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.views.generic import TemplateView

from lab.decide.questions import QUESTIONS
from lab.decide.recommend import Recommendation, Standing, recommend
from lab.decide.tables import COMPARISONS
from lab.proofs import Proof, measured, published

COSTS = ("times_floor", "sql_statements", "redis_commands", "time_to_revoke")


class DecidePage(TemplateView):
    """The answers stand in the query, so that a recommendation can be sent to somebody."""

    template_name = "lab/decide/decide.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        choice, unknown = read(self.request.GET)
        found = recommend(choice) if choice else None
        costs = {each.strategy.key: costs_of(each) for each in found.best} if found else {}
        report = published()
        return super().get_context_data(
            questions=[(question, choice.get(question.key, "")) for question in QUESTIONS],
            unknown=unknown,
            found=found,
            costs=costs.items() if found and len(found.best) > 1 else (),
            comparisons=COMPARISONS,
            proofs=listed([*proofs_of(found), *of_tables(), *of_costs(costs)]),
            measured_at=report.made if report else "",
            **kwargs,
        )


def read(query: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The known answers, and words about what is not known: it is left open, and said."""
    choice, unknown = {}, []
    for question in QUESTIONS:
        given = query.get(question.key, "")
        if question.answer(given) is not None:
            choice[question.key] = given
        elif given:
            unknown.append(f"“{given[:40]}” is no answer to: {question.words}")
    return choice, unknown


def costs_of(standing: Standing) -> list[Proof]:
    """What may tell apart those that the answers do not."""
    return [measured(measure, standing.strategy.key) for measure in COSTS]


def proofs_of(found: Recommendation | None) -> Iterable[Proof]:
    standings = (*found.best, *found.others, *found.excluded) if found else ()
    return (proof for each in standings for reason in each.reasons for proof in reason.proofs)


def of_tables() -> Iterable[Proof]:
    return (cell.proof for table in COMPARISONS for line in table.lines for cell in line.cells)


def of_costs(costs: Mapping[str, list[Proof]]) -> Iterable[Proof]:
    return (proof for each in costs.values() for proof in each)


def listed(proofs: Iterable[Proof]) -> list[Proof]:
    """Each once, those of a kind together."""
    return sorted(dict.fromkeys(proofs), key=lambda proof: (proof.kind, proof.words))
