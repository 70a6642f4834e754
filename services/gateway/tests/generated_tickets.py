"""Many tickets in the view at once, as events would have left them: for measuring what a list costs."""

from deskstream.gateway.domain import SEVERITIES
from deskstream.messaging import Tx
from services.gateway.tests.work import Part, Ticket

PARTS = 100

# Nine of ten are over, as on a desk that is a few years old; owners and accounts are many and of all sizes.
_FILL = """
    INSERT INTO tickets (
        ticket_id, seq, number, stage, triage, tracker, type, severity, part_id, owner, account_id, contact_id, deleted,
        updated, closed, told, facts
    )
    SELECT
        md5('ticket' || n)::uuid, 1, n,
        CASE WHEN n % 10 <> 0 THEN 'closed' WHEN n % 30 = 0 THEN 'new' ELSE 'open' END,
        CASE WHEN n % 10 <> 0 THEN 2 WHEN n % 30 = 0 THEN 0 ELSE 1 END,
        CASE WHEN n % 10 <> 0 THEN 0 WHEN n % 40 = 0 THEN 2 ELSE 1 END,
        'question', n % $3, ($4::uuid[])[1 + n % array_length($4::uuid[], 1)], 'agent' || n % 50,
        md5('account' || n % 1000)::uuid, md5('contact' || n % 10000)::uuid, false,
        1777885200000000 + n, CASE WHEN n % 10 <> 0 THEN 1777885200000000 + n END, NULL, $2
    FROM generate_series(1, $1::integer) AS n
"""


async def fill(tx: Tx, count: int) -> None:
    """`count` tickets on 100 parts of a product."""
    facts = Ticket(1).facts.model_dump_json(exclude_defaults=True)
    parts = [Part(number) for number in range(2, PARTS + 2)]
    await tx.executemany(
        "INSERT INTO parts (part_id, seq, number, parent, name, kind, deleted) VALUES ($1, 1, $2, $3, $4, $5, false)",
        [(part.id, part.number, Part(1).id, f"Part {part.number}", "feature") for part in parts],
    )
    await tx.execute(_FILL, count, facts, len(SEVERITIES), [part.id for part in parts])
    await tx.execute("ANALYZE tickets, parts")
