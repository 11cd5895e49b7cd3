"""Which strategy do the answers lead to? Their rules, added up; ties are said as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from lab.decide.questions import ALWAYS, QUESTIONS
from lab.decide.rule import Answer, Question, Rule
from lab.proofs import Proof
from lab.strategies import STRATEGIES, Strategy

Choice = Mapping[str, str]
"""The key of a question, and that of its answer; what is left open is not in it."""


@dataclass(frozen=True)
class Reason:
    """One rule, for one strategy. `question` is None where it holds whatever is answered."""

    question: Question | None
    answer: Answer | None
    rule: Rule
    proofs: tuple[Proof, ...]


@dataclass(frozen=True)
class Standing:
    """How one strategy stands after all answers."""

    strategy: Strategy
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> int:
        return sum(reason.rule.weight or 0 for reason in self.reasons)

    @property
    def excluded(self) -> list[Reason]:
        return [reason for reason in self.reasons if reason.rule.weight is None]

    @property
    def speaks_for(self) -> list[Reason]:
        return [reason for reason in self.reasons if (reason.rule.weight or 0) > 0]

    @property
    def speaks_against(self) -> list[Reason]:
        return [reason for reason in self.reasons if (reason.rule.weight or 0) < 0]


@dataclass(frozen=True)
class Recommendation:
    """`best` are those with the highest score: several of them are a tie, none a contradiction.

    `give_up`: then, the answers without which something is left, and what that is.
    """

    best: tuple[Standing, ...]
    others: tuple[Standing, ...]
    excluded: tuple[Standing, ...]
    give_up: tuple[tuple[tuple[Question, ...], tuple[Strategy, ...]], ...] = ()


def recommend(choice: Choice) -> Recommendation:
    standings = [stand(strategy, choice) for strategy in STRATEGIES]
    left = [standing for standing in standings if not standing.excluded]
    most = max((standing.score for standing in left), default=0)
    return Recommendation(
        best=tuple(standing for standing in left if standing.score == most),
        others=tuple(
            sorted((s for s in left if s.score < most), key=lambda standing: -standing.score)
        ),
        excluded=tuple(standing for standing in standings if standing.excluded),
        give_up=() if left else tuple(ways_out(choice)),
    )


def stand(strategy: Strategy, choice: Choice) -> Standing:
    return Standing(strategy, tuple(reasons(strategy.key, choice)))


def reasons(key: str, choice: Choice) -> Iterator[Reason]:
    """What speaks for and against one strategy; a weight of 0 is a reason that does not count."""
    for question, answer, rule in rules(choice):
        if rule.weight != 0 and rule.which(key):
            yield Reason(question, answer, rule, tuple(proof(key) for proof in rule.proofs))


def rules(choice: Choice) -> Iterator[tuple[Question | None, Answer | None, Rule]]:
    yield from ((None, None, rule) for rule in ALWAYS)
    for question in QUESTIONS:
        answer = question.answer(choice.get(question.key, ""))
        if answer is not None:
            yield from ((question, answer, rule) for rule in answer.rules)


def ways_out(
    choice: Choice,
) -> Iterator[tuple[tuple[Question, ...], tuple[Strategy, ...]]]:
    """The fewest answers to give up, each way of it, and the strategies that are left then."""
    asked = [question for question in QUESTIONS if question.key in choice]
    for count in range(1, len(asked) + 1):
        found = [
            (given_up, left)
            for given_up in combinations(asked, count)
            if (left := left_without(choice, given_up))
        ]
        if found:
            yield from found
            return


def left_without(choice: Choice, given_up: Sequence[Question]) -> tuple[Strategy, ...]:
    keys = {question.key for question in given_up}
    rest = {key: answer for key, answer in choice.items() if key not in keys}
    return tuple(s for s in STRATEGIES if not stand(s, rest).excluded)
