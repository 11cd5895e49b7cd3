"""How is a body read? As JSON, within bounds, before anything else looks at it."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """DRF's parser, for bodies of a bounded depth; Django bounds their size."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            # Threat: some ten thousand brackets exhaust the stack of Python's JSON reader.
            raise ParseError from error
