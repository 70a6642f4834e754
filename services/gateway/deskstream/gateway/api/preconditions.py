"""If-Match (RFC 9110, 13.1.1): a change is bound to the version that was seen."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Header

from deskstream.gateway.api.problems import HttpProblem

_STRONG = re.compile(r'"([1-9][0-9]{0,17})"')
_TAGS = re.compile(r'(W/)?"[\x21\x23-\x7e]*"(\s*,\s*(W/)?"[\x21\x23-\x7e]*")*')

Precondition = Annotated[str | None, Header(alias="If-Match", description="The ETag that was read; * for whichever.")]


def version_wanted(if_match: Precondition = None) -> int | None:
    """The version that a change is bound to, None for whichever there is.

    Raises `HttpProblem`: 428 without the header, 412 for a tag that we never gave, 400 for what is none.
    """
    if if_match is None:
        sentence = "Say which version this changes: If-Match with the ETag that you read, or * for whichever."
        raise HttpProblem(HTTPStatus.PRECONDITION_REQUIRED, "version_missing", sentence)
    if if_match.strip() == "*":
        return None
    if found := _STRONG.fullmatch(if_match.strip()):
        return int(found[1])
    if _TAGS.fullmatch(if_match.strip()):
        # Several tags could match, but only one is ever read at a time; a weak one matches nothing here.
        sentence = "If-Match takes one strong ETag, as it was read. Read it again."
        raise HttpProblem(HTTPStatus.PRECONDITION_FAILED, "version_is_stale", sentence)
    raise HttpProblem(HTTPStatus.BAD_REQUEST, "bad_if_match", 'If-Match: an ETag such as "3", or *.')


def no_precondition(if_match: Precondition = None) -> None:
    """Raises `HttpProblem` 400 when a version is named that nobody would look at."""
    if if_match is not None:
        sentence = "This is not bound to a version: only PATCH and DELETE take If-Match. Send it without."
        raise HttpProblem(HTTPStatus.BAD_REQUEST, "no_precondition", sentence)


def etag(version: int) -> dict[str, str]:
    """The header by which a version is known again."""
    return {"ETag": f'"{version}"'}
