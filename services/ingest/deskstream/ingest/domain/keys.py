"""Names of fixed size for what channels call things, and for people as a channel knows them."""

from hashlib import sha256

from deskstream.contracts.inbound import Identity


def message_key(channel: str, external_id: str) -> bytes:
    """The key of a message, ours or theirs, by the id that its channel gave it."""
    return _key("message", channel, external_id)


def thread_key(channel: str, external_id: str) -> bytes:
    """The key of a thread by the id that its channel gave it: the same number may be a message's id, too."""
    return _key("thread", channel, external_id)


def identity_of(channel: str, who: Identity) -> str:
    """By what a person is known again: the strongest thing that the channel says of them.

    A channel's own id was checked by the channel; an address may only have been typed.
    """
    if who.external_id is not None:
        return f"{channel}/{who.external_id}"
    return f"mailto:{who.email.lower()}" if who.email is not None else f"tel:{who.phone}"


def _key(kind: str, channel: str, external_id: str) -> bytes:
    # Bytes, because making a UUID of them would take longer than the hash.
    return sha256(f"{kind}\n{channel}\n{external_id}".encode()).digest()[:16]
