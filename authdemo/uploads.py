"""What becomes of a file that somebody uploads? Nothing: no page of this site takes one.

Threat: the CSRF check of a page reads its form, and Django writes a file in it to /tmp, of any size
and from anybody.
"""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoUploads(FileUploadHandler):
    """Reads past each file; the fields beside it are read as ever."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        return None

    def file_complete(self, file_size: int) -> None:
        return None
