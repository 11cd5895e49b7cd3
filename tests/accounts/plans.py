"""How does the database go about the statements of some code? It is asked before each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from django.db import connection

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}
READS_ALL = {"sqlite": "SCAN ", "postgresql": "Seq Scan"}
asked = count()


class Plan(NamedTuple):
    statement: str
    steps: str

    def reads_a_whole_table(self) -> bool:
        """Surprise: SQLite says SCAN of a whole index as well, which is no better."""
        return READS_ALL[connection.vendor] in self.steps


@contextmanager
def plans() -> Iterator[list[Plan]]:
    """Collect the plan of every statement that is run inside, made for its own parameters."""
    found: list[Plan] = []
    is_asking = False

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal is_asking
        if not is_asking and sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            is_asking = True
            try:
                with connection.cursor() as cursor:
                    # Surprise: SQLite gives the plan that it made when it first saw the text,
                    # whatever has become of the indexes. So no text comes twice.
                    cursor.execute(
                        f"{EXPLAIN[connection.vendor]} /* {next(asked)} */ {sql}", params
                    )
                    steps = "\n".join(str(row[-1]) for row in cursor.fetchall())
                found.append(Plan(sql, steps))
            finally:
                is_asking = False
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found
