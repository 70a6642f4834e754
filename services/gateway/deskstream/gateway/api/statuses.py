"""The HTTP status of every reason for which a command is refused: the only place that knows the one from the other."""

from http import HTTPStatus

STATUSES = {
    HTTPStatus.BAD_REQUEST: (
        "author_is_missing",
        "invalid_idempotency_key",
    ),
    HTTPStatus.NOT_FOUND: (
        "conversation_not_found",
        "unknown_conversation",
        "reply_not_found",
        "nothing_waits",
    ),
    # What the request says can never be done, whatever the state of things.
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "invalid_command",
        "idempotency_key_reused",
        "last_seen_is_ahead",
        "text_is_empty",
        "text_is_too_long",
        "title_is_empty",
        "tag_is_malformed",
        "tag_value_unknown",
        "resolution_tag_is_set_by_resolving",
        "signal_drops_nothing",
        "snooze_without_end",
        "snooze_in_the_past",
        "wait_named_twice",
        "attachment_is_not_stored",
        "unknown_agent",
        "unknown_team",
    ),
    # The state of things is against it; another one would not be.
    HTTPStatus.CONFLICT: (
        "newer_messages",
        "conversation_is_new",
        "conversation_is_suspended",
        "conversation_waits_on_user",
        "conversation_needs_response",
        "conversation_is_on_hold",
        "conversation_is_resolved",
        "conversation_is_archived",
        "reply_has_left",
        "reply_has_not_failed",
        "not_waiting_for",
        "channel_sends_nothing",
        "already_owned",
        "already_theirs",
        "not_open",
        "agent_away",
        "over_capacity",
        "too_many_participants",
        "too_many_tags",
        "shared_with_too_many",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("reply_is_too_large",),
    HTTPStatus.TOO_MANY_REQUESTS: ("too_many_replies_queued",),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("internal_error",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable",),
}
"""Status -> codes of refusals."""

_BY_CODE = {code: status for status, codes in STATUSES.items() for code in codes}


def status_of(code: str) -> HTTPStatus:
    """A code nobody listed is a rule of the business, which the state of things does not meet."""
    return _BY_CODE.get(code, HTTPStatus.CONFLICT)
