"""Who is behind an identity, and what messages add to that."""

from collections.abc import Iterable, Sequence

import asyncpg

from deskstream.contracts.facts import AccountFacts, AccountStage, ContactFacts, Priority, WorkspaceFacts
from deskstream.contracts.ids import ContactId
from deskstream.crm.domain import Found, Sender
from deskstream.crm.domain.sender import UNSEEN, Kept
from deskstream.crm.identities import mail_domains
from deskstream.messaging import Tx

# The only statement that the mail of a known sender costs: five look-ups by index, in the order of the joins.
_LOOK_UP = """
    SELECT
        asked.identity, asked.domains,
        c.id, c.name, c.email, c.phone,
        a.id, a.name, a.stage, a.tier, a.priority, a.default_owner,
        w.id, w.name, w.default_owner
    FROM unnest($1::text[], $2::text[]) AS asked (identity, domains)
    LEFT JOIN identities AS i ON i.identity = asked.identity
    LEFT JOIN contacts AS c ON c.id = i.contact_id
    LEFT JOIN LATERAL (
        SELECT d.account_id
        FROM domains AS d
        WHERE c.account_id IS NULL
            AND d.domain = ANY (string_to_array(COALESCE(NULLIF(c.mail_domains, ''), asked.domains), ' '))
        ORDER BY length(d.domain) DESC
        LIMIT 1
    ) AS by_domain ON true
    LEFT JOIN accounts AS a ON a.id = COALESCE(c.account_id, by_domain.account_id)
    LEFT JOIN workspaces AS w ON w.id = COALESCE(c.workspace_id, a.default_workspace_id)
"""

# A contact has its mail domains with it, and may be known by several identities, none of them a mail address.
_FIND = """
    SELECT
        '' AS identity, c.mail_domains,
        c.id, c.name, c.email, c.phone,
        a.id, a.name, a.stage, a.tier, a.priority, a.default_owner,
        w.id, w.name, w.default_owner
    FROM contacts AS c
    LEFT JOIN LATERAL (
        SELECT d.account_id
        FROM domains AS d
        WHERE c.account_id IS NULL AND d.domain = ANY (string_to_array(c.mail_domains, ' '))
        ORDER BY length(d.domain) DESC
        LIMIT 1
    ) AS by_domain ON true
    LEFT JOIN accounts AS a ON a.id = COALESCE(c.account_id, by_domain.account_id)
    LEFT JOIN workspaces AS w ON w.id = COALESCE(c.workspace_id, a.default_workspace_id)
    WHERE c.id = $1
"""

# What a person saved meanwhile stays.
_SAVE = """
    WITH people AS (
        INSERT INTO contacts AS c (id, name, email, phone, mail_domains)
        SELECT id, name, email, phone, mail_domains
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
            AS new (id, name, email, phone, mail_domains)
        ORDER BY id
        ON CONFLICT (id) DO UPDATE
        SET name = COALESCE(NULLIF(c.name, ''), excluded.name),
            email = COALESCE(c.email, excluded.email),
            phone = COALESCE(c.phone, excluded.phone),
            mail_domains = CASE WHEN c.email IS NULL THEN excluded.mail_domains ELSE c.mail_domains END
    )
    INSERT INTO identities (identity, contact_id)
    SELECT identity, contact_id
    FROM unnest($6::text[], $7::uuid[]) AS new (identity, contact_id)
    ORDER BY identity
"""


async def look_up(tx: Tx, asked: Iterable[tuple[str, str]]) -> Kept:
    """(identity, domains) -> what is kept of it, for every one asked for. Locks nothing."""
    pairs = list(asked)
    rows = await tx.fetch(_LOOK_UP, [identity for identity, _ in pairs], [domains for _, domains in pairs])
    return {(row[0], row[1]): _found(row) for row in rows}


async def find(tx: Tx, contact_id: ContactId) -> Found:
    """What is kept of a contact; of one that nobody knows, nothing."""
    row = await tx.fetchrow(_FIND, contact_id)
    return _found(row) if row is not None else Found()


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Sender]:
    """Nothing is read: what was known came with each message."""
    return dict.fromkeys(keys, UNSEEN)


async def save(tx: Tx, senders: Sequence[Sender]) -> None:
    """Writes new contacts, names and identities. An identity that another transaction gave away meanwhile raises
    `UniqueViolationError`; the next try finds its contact."""
    people = [(sender.found.contact, sender.linked) for sender in senders if sender.found and sender.found.contact]
    identities = [(identity, contact.id) for contact, linked in people for identity in linked]
    await tx.execute(
        _SAVE,
        [contact.id for contact, _ in people],
        [contact.name for contact, _ in people],
        [contact.email for contact, _ in people],
        [contact.phone for contact, _ in people],
        [mail_domains(contact.email) for contact, _ in people],
        [identity for identity, _ in identities],
        [contact_id for _, contact_id in identities],
    )


# Rows hold what these models wrote, so they are built without being checked again.
def _found(row: asyncpg.Record) -> Found:
    contact = account = workspace = None
    if row[2] is not None:
        contact = ContactFacts.model_construct(id=row[2], name=row[3], email=row[4], phone=row[5], external_id=None)
    if row[6] is not None:
        account = AccountFacts.model_construct(
            id=row[6], name=row[7], stage=AccountStage(row[8]), tier=row[9],
            priority=Priority(row[10]) if row[10] else None, default_owner=row[11],
        )  # fmt: skip
    if row[12] is not None:
        workspace = WorkspaceFacts.model_construct(id=row[12], name=row[13], default_owner=row[14])
    return Found(contact, account, workspace)
