"""Contacts, as people save them."""

from collections.abc import Sequence
from uuid import UUID

from deskstream.contracts.ids import ContactId
from deskstream.crm.domain import Contact
from deskstream.crm.identities import mail_domains
from deskstream.messaging import Tx

_LOAD = """
    SELECT id, email, name, phone, account_id, workspace_id
    FROM contacts
    WHERE id = ANY ($1::uuid[])
    ORDER BY id
    FOR UPDATE
"""

# First of all, so that a number can move from one contact to another in one batch.
_UNLINK = """
    DELETE FROM identities AS i
    USING unnest($1::text[], $2::uuid[]) AS gone (identity, contact_id)
    WHERE i.identity = gone.identity AND i.contact_id = gone.contact_id
"""

_SAVE = """
    WITH saved AS (
        INSERT INTO contacts (id, email, name, phone, mail_domains, account_id, workspace_id)
        SELECT id, email, name, phone, mail_domains, account_id, workspace_id
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[])
            AS new (id, email, name, phone, mail_domains, account_id, workspace_id)
        ON CONFLICT (id) DO UPDATE
        SET email = excluded.email,
            name = excluded.name,
            phone = excluded.phone,
            mail_domains = excluded.mail_domains,
            account_id = excluded.account_id,
            workspace_id = excluded.workspace_id
    )
    INSERT INTO identities (identity, contact_id)
    SELECT identity, contact_id
    FROM unnest($8::text[], $9::uuid[]) AS new (identity, contact_id)
    ORDER BY identity
"""


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Contact]:
    """Every contact asked for, locked; one that nobody knows is empty."""
    rows = await tx.fetch(_LOAD, [UUID(key) for key in keys])
    known = {str(row["id"]): Contact(*row) for row in rows}
    return {key: known.get(key) or Contact(ContactId(UUID(key))) for key in keys}


async def save(tx: Tx, contacts: Sequence[Contact]) -> None:
    """Writes contacts and moves identities. One that was taken meanwhile raises `UniqueViolationError`."""
    gone = [(identity, contact.id) for contact in contacts for identity in contact.unlinked]
    new = [(identity, contact.id) for contact in contacts for identity in contact.linked]
    if gone:
        await tx.execute(_UNLINK, [identity for identity, _ in gone], [contact_id for _, contact_id in gone])
    await tx.execute(
        _SAVE,
        [contact.id for contact in contacts],
        [contact.email for contact in contacts],
        [contact.name for contact in contacts],
        [contact.phone for contact in contacts],
        [mail_domains(contact.email) for contact in contacts],
        [contact.account_id for contact in contacts],
        [contact.workspace_id for contact in contacts],
        [identity for identity, _ in new],
        [contact_id for _, contact_id in new],
    )
