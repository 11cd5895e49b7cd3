"""How is a body read? As JSON, within bounds, before anything else looks at it."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework import parsers
from rest_framework.exceptions import APIException, ParseError


class BodyTooLarge(APIException):
    """The body is larger than any call of the contract needs."""

    status_code = 413
    default_code = "invalid"
    default_detail = "The body is too large."


class JSONParser(parsers.JSONParser):
    """DRF's parser, for bodies of a bounded size and depth."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        # Surprise: Django's own guard of this size is in `request.body`, which DRF never reads.
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        try:
            return super().parse(BytesIO(body), media_type, parser_context)
        except RecursionError as error:
            # Threat: some ten thousand brackets exhaust the stack of Python's JSON reader.
            raise ParseError from error
