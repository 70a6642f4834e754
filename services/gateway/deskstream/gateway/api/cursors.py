"""Where the next page begins, as an opaque text that only we can write and that fits only its own list."""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from uuid import UUID

from deskstream.gateway.api.problems import HttpProblem
from deskstream.gateway.store.lists import Filters, Place, Sort
from deskstream.gateway.store.tickets import TicketFilters, TicketSort

_MAC_SIZE = 16


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one list: other filters or another order make another signature."""

    secret: bytes
    filters: Filters | TicketFilters
    sort: Sort | TicketSort

    def write(self, place: Place) -> str:
        """The cursor behind `place`."""
        sorted_by, conversation_id = place
        key = sorted_by if isinstance(sorted_by, int) else sorted_by.isoformat()
        content = json.dumps([key, str(conversation_id)]).encode()
        return base64.urlsafe_b64encode(self._signature(content) + content).decode().rstrip("=")

    def read(self, cursor: str) -> Place:
        """Raises `HttpProblem` 400 for anything that `write` did not make for this very list."""
        try:
            signed = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError) as error:
            raise _bad_cursor() from error
        signature, content = signed[:_MAC_SIZE], signed[_MAC_SIZE:]
        if not hmac.compare_digest(signature, self._signature(content)):
            raise _bad_cursor()
        key, conversation_id = json.loads(content)
        return key if isinstance(key, int) else datetime.fromisoformat(key), UUID(conversation_id)

    def _signature(self, content: bytes) -> bytes:
        listed = f"cursor/{self.sort}/{self.filters.arguments()}/".encode()
        return hmac.digest(self.secret, listed + content, sha256)[:_MAC_SIZE]


def _bad_cursor() -> HttpProblem:
    return HttpProblem(
        HTTPStatus.BAD_REQUEST,
        "bad_cursor",
        "This cursor belongs to no page of this list: begin without one, and keep filters and sort while paging.",
    )
