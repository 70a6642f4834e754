"""What an event says, in a few words: one function for each that has more to tell than its name.

An event that is not listed here is shown all the same, by what its data hold.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from deskstream.cli.tail.seen import Seen

_NOT_TOLD: Final = frozenset({"at", "after", "stage_before", "number", "conversation_id", "record"})


def words(seen: Seen) -> str:
    """The event in a few words; not cleaned, not cut."""
    told = _TOLD.get(seen.event)
    return told(seen) if told else _whatever(seen)


def moment(text: str) -> str:
    """`09:30`, or `Mon 09:30` where it is another day; local time."""
    try:
        local = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text
    return local.strftime("%H:%M" if local.date() == datetime.now().astimezone().date() else "%a %H:%M")


def _message(seen: Seen) -> str:
    """Who wrote, and what."""
    sender = _person(seen.value("message", "sender"))
    said = seen.text("message", "title") or seen.text("message", "text")
    marks = [*_texts(seen.value("message", "suspicious")), seen.text("message", "automatic", "kind")]
    return _joined(f"{sender}: {said}" if sender else said, _listed(marks))


def _identified(seen: Seen) -> str:
    account = seen.text("account", "name")
    news = "new contact" if seen.value("new_contact") else ""
    return _joined(_person(seen.value("contact")), f"of {account}" if account else "of no account", news)


def _account(seen: Seen) -> str:
    return _joined(seen.text("account", "name"), _listed(_texts(seen.value("domains"))))


def _opened(seen: Seen) -> str:
    number = seen.text("after", "follow_up_of")
    return _joined(_message(seen) or seen.text("after", "title"), "follow-up" if number else "")


def _reply(seen: Seen) -> str:
    signal = "signal" if seen.value("reply", "signal") else ""
    return _joined(f"{seen.text('reply', 'author')}: {seen.text('reply', 'text')}", signal)


def _queued(seen: Seen) -> str:
    return _joined(_reply(seen), f"leaves {moment(seen.text('reply', 'release_at'))}")


def _note(seen: Seen) -> str:
    return f"{seen.text('note', 'author')}: {seen.text('note', 'text')}"


def _delivery(seen: Seen) -> str:
    return _joined(seen.text("state"), seen.text("reason"))


def _tags(seen: Seen) -> str:
    added = seen.value("added")
    tags = [f"+{tag}{value and f':{value}'}" for tag, value in added.items()] if isinstance(added, Mapping) else []
    return " ".join([*tags, *(f"-{tag}" for tag in _texts(seen.value("removed")))])


def _hold(seen: Seen) -> str:
    waits = seen.value("after", "waits")
    names = [str(wait.get("name")) for wait in waits if isinstance(wait, Mapping)] if isinstance(waits, list) else []
    return _joined(f"for {', '.join(names)}" if names else "", seen.text("reason"))


def _owner(seen: Seen) -> str:
    owner, previous = seen.text("owner") or "nobody", seen.text("previous")
    return _joined(f"{previous} → {owner}" if previous else owner, seen.text("reason") or seen.text("cause"))


def _agent(seen: Seen) -> str:
    load = f"{seen.text('load')} of {seen.text('capacity')}"
    return _joined(seen.text("agent_id"), seen.text("availability"), load)


def _rule(seen: Seen) -> str:
    return _joined(seen.text("name"), "removed" if seen.value("removed") else f"version {seen.text('version')}")


def _clock(seen: Seen) -> str:
    metric = seen.text("clock", "metric").replace("_", " ")
    target = f"{seen.text('clock', 'target_minutes')} min"
    return _joined(metric, target, f"due {moment(seen.text('clock', 'due_at'))}")


def _stopped(seen: Seen) -> str:
    metric = seen.text("clock", "metric").replace("_", " ")
    minutes = seen.value("business_minutes")
    used = f"{minutes:,.0f} of {seen.text('clock', 'target_minutes')} min" if isinstance(minutes, (int, float)) else ""
    return _joined(metric, seen.text("outcome").replace("_", " "), used)


def _rejected(seen: Seen) -> str:
    return _joined(f"{seen.text('channel')}/{seen.text('inbox')}", f"{seen.text('field')}: {seen.text('reason')}")


def _refused(seen: Seen) -> str:
    return f"{seen.text('command')}: {seen.text('sentence')}"


def _inbound(seen: Seen) -> str:
    return _joined(_person(seen.value("sender")), seen.text("title") or seen.text("text"))


def _outbound(seen: Seen) -> str:
    return f"{seen.text('author')} to {_person(seen.value('to'))}: {seen.text('text')}"


def _failing(seen: Seen) -> str:
    tries = f"after {seen.text('tries')} tries" if seen.event == "dead" else f"try {seen.text('tries')}"
    return _joined(f"{seen.text('event')}: {seen.text('reason')}", tries, seen.text("name"))


_TOLD: Final[Mapping[str, Callable[[Seen], str]]] = {
    "message_received": _message,
    "message_rejected": _rejected,
    "command_refused": _refused,
    "delivery_noted": _delivery,
    "sender_identified": _identified,
    "account_saved": _account,
    "contact_saved": lambda seen: _person(seen.value("contact")),
    "conversation_opened": _opened,
    "customer_replied": _message,
    "automatic_message_filed": _message,
    "follow_up_needed": _message,
    "suspicion_reviewed": lambda seen: _joined(seen.text("verdict"), seen.text("reason")),
    "reply_queued": _queued,
    "agent_replied": _reply,
    "delivery_changed": _delivery,
    "note_added": _note,
    "title_changed": lambda seen: seen.text("after", "title"),
    "tags_changed": _tags,
    "put_on_hold": _hold,
    "wait_ended": lambda seen: _joined(seen.text("wait", "name"), seen.text("how"), seen.text("reason")),
    "conversation_snoozed": lambda seen: _joined(seen.text("snooze", "reason"), moment(seen.text("snooze", "until"))),
    "conversation_resolved": lambda seen: seen.text("category").replace("_", " "),
    "owner_chosen": _owner,
    "agent_saved": _agent,
    "rule_saved": _rule,
    "clock_started": _clock,
    "clock_resumed": _clock,
    "clock_warned": _clock,
    "clock_breached": _clock,
    "clock_stopped": _stopped,
    "failed": _failing,
    "dead": _failing,
    "message": _inbound,
    "outbound_message": _outbound,
    "message_accepted": lambda seen: _joined(f"{seen.text('channel')}/{seen.text('inbox')}", seen.text("external_id")),
}


def _whatever(seen: Seen) -> str:
    """Names and values of what is simple enough to be told."""
    simple = {name: seen.text(name) for name in seen.data if name not in _NOT_TOLD}
    return ", ".join(f"{name} {value}" for name, value in simple.items() if value)


def _person(identity: Any) -> str:
    """A contact, or somebody as a channel knows them."""
    if not isinstance(identity, Mapping):
        return ""
    address = next((str(identity[name]) for name in ("email", "phone", "external_id") if identity.get(name)), "")
    name = str(identity.get("name") or "")
    return f"{name} <{address}>" if name and address and name != address else name or address


def _texts(values: Any) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else []


def _listed(values: list[str]) -> str:
    found = [value for value in values if value]
    return f"({', '.join(found)})" if found else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
