"""How is a body read? As JSON, and strictly: two readers of one body must not see two things."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.utils.json import strict_constant


class JSONParser(parsers.JSONParser):
    """UTF-8 whatever the sender calls it (RFC 8259, section 8.1); Django bounds the size."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            text = stream.read().decode()
            return json.loads(text, parse_constant=strict_constant, object_pairs_hook=_once_each)
        except (ValueError, RecursionError) as error:
            # Threat: some ten thousand brackets exhaust the stack of Python's JSON reader.
            raise ParseError from error


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different.

    Threat: Python takes the last of two values of one name. A filter on the way that takes the
    first one would have looked at another request than we (RFC 8259, section 4).
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found
