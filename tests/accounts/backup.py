"""What is a backup of the database? Its rows, read and put back as a database's own tools do it."""

from typing import Any

from django.db import connection, transaction
from django.db.models import Model


class Backup:
    """The rows of some tables, as they stand now."""

    def __init__(self, *models: type[Model]) -> None:
        self.tables = {model._meta.db_table: self._rows(model._meta.db_table) for model in models}

    def _rows(self, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            return [column[0] for column in cursor.description], cursor.fetchall()

    def restore(self) -> None:
        """Put them back as a database's own tools would: past Django, in one transaction."""
        with transaction.atomic(), connection.cursor() as cursor:
            for table in reversed(self.tables):
                cursor.execute(f"DELETE FROM {table}")
            for table, (columns, rows) in self.tables.items():
                values = ", ".join(["%s"] * len(columns))
                names = ", ".join(columns)
                cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", rows)
