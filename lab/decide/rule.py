"""What does an answer mean for a strategy? It excludes it, or speaks for or against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.differences import difference
from lab.proofs import Differs, Measured, Proof, measured
from lab.strategies import strategy

Which = Callable[[str], bool]
"""Picks strategies by their keys: from data that tests assert, wherever there is some."""

ProofOf = Callable[[str], Proof]
"""What shows it for the strategy of a key."""


@dataclass(frozen=True)
class Rule:
    """`weight`: above 0 it speaks for those that `which` picks, below 0 against; None excludes."""

    which: Which
    weight: int | None
    words: str
    proofs: tuple[ProofOf, ...]


@dataclass(frozen=True)
class Answer:
    key: str
    words: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Question:
    """It may be left open: then it says nothing about any strategy."""

    key: str
    words: str
    answers: tuple[Answer, ...]

    def answer(self, key: str) -> Answer | None:
        return next((answer for answer in self.answers if answer.key == key), None)


def excludes(which: Which, words: str, *proofs: ProofOf) -> Rule:
    return Rule(which, None, words, proofs)


def speaks_for(which: Which, words: str, *proofs: ProofOf, weight: int = 1) -> Rule:
    return Rule(which, weight, words, proofs)


def speaks_against(which: Which, words: str, *proofs: ProofOf, weight: int = 1) -> Rule:
    return Rule(which, -weight, words, proofs)


# --- which strategies -----------------------------------------------------------------------


def answers(key: str, *values: object) -> Which:
    """Those that answer so to a difference."""
    return lambda each: difference(key, each) in values


def no(which: Which) -> Which:
    return lambda each: not which(each)


def lacks(part: str) -> Which:
    return lambda each: part in difference("lacks", each)


def is_of(flow: str) -> Which:
    return lambda each: strategy(each).variant_of == flow


def is_one_of(*keys: str) -> Which:
    return lambda each: each in keys


def is_weak(each: str) -> bool:
    return bool(strategy(each).weak)


# --- what shows it --------------------------------------------------------------------------


def differs(key: str) -> ProofOf:
    return lambda each: Differs(key, each)


def figure(measure: str, **varied: float | str) -> ProofOf:
    def proof(each: str) -> Measured:
        return measured(measure, each, **varied)

    return proof


def shown_by(proof: Proof) -> ProofOf:
    """The same for every strategy."""
    return lambda each: proof
