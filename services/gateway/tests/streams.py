"""Reading GET /api/events as a client does."""

import json
from contextlib import aclosing


async def events(client, *, headers=None, **query):
    """Events as a browser would see them: (id, event, data); comments and mere ids only move the id."""
    async with client.stream("GET", "/api/events", params=query, headers=headers or {}) as answer:
        assert answer.status_code == 200, await answer.aread()
        found = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                found[name] = value
            else:
                yield int(found["id"]), found.get("event"), json.loads(found["data"]) if "data" in found else None
                found = {}


async def next_event(stream):
    """The next one that carries data."""
    async for place, _, data in stream:
        if data is not None:
            return place, data["event"]
    raise AssertionError("the stream has ended")


async def some(client, count, **query):
    """The first `count` events that carry data."""
    found = []
    async with aclosing(events(client, **query)) as stream:
        async for place, _, data in stream:
            if data is not None:
                found.append((place, data))
            if len(found) == count:
                return found
    return found
