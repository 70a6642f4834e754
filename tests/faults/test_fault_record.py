"""The record of a fault run is read from the services' own tables: what stands there wrong is found there."""

from uuid import UUID

import asyncpg
import pytest

from deskstream.cli.faults.record import read_overtaken
from deskstream.runtime.migrations import migrate
from deskstream.runtime.schemas import installed_services, schemas

A, B = UUID(int=1), UUID(int=2)

SHOW = """
INSERT INTO gateway.feed (at, service, event, conversation_id, sequence, number, summary, body)
VALUES (now(), $1, 'something', $2, $3, 1, '', '{}')
"""


@pytest.fixture
async def records(database):
    connection = await asyncpg.connect(database)
    for schema, sources in schemas([installed_services()["gateway"]]).items():
        await migrate(connection, schema, sources)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        pytest.param(
            [("sla", A, 1), ("conversation", A, 1), ("sla", B, 1), ("conversation", A, 2), ("sla", A, 3)], [],
            id="P3: services and conversations are ordered each for itself",
        ),
        pytest.param(
            [("sla", A, 1), ("sla", A, 3), ("conversation", A, 2), ("sla", A, 2)], [f"sla: 2 of {A} after 3"],
            id="P3: one came after a later one",
        ),
    ],
)  # fmt: skip
async def test_what_the_inbox_took_in_too_late_is_found(records, shown, found):
    for one in shown:
        await records.execute(SHOW, *one)
    assert await read_overtaken(records) == found
