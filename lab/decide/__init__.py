"""Which strategy is for whom? Questions that a team has, and what each answer speaks for.

`questions.py` has the rules, as data; `recommend.py` adds them up; `tables.py` has the articles'
comparisons. Whatever is said names its proofs (`lab.proofs`).
"""
