"""Accounts with their mail domains and workspaces."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from deskstream.contracts.facts import AccountFacts, WorkspaceFacts
from deskstream.contracts.ids import AccountId
from deskstream.crm.domain import Account
from deskstream.crm.domain.names import name_key
from deskstream.messaging import Tx

_LOCK = """
    SELECT id
    FROM accounts
    WHERE id = ANY ($1::uuid[])
    ORDER BY id
    FOR UPDATE
"""

# A statement of its own: what the lock waited for is then seen in the other tables too.
_READ = """
    SELECT id, number, name, stage, tier, priority, default_owner,
        domains, workspace_ids, workspace_names, workspace_owners
    FROM whole_accounts
    WHERE id = ANY ($1::uuid[])
"""

_NUMBERS = """
    SELECT nextval('account_number')
    FROM generate_series(1, $1)
"""

_FIND = """
    SELECT id, number, name, stage, tier, priority, default_owner,
        domains, workspace_ids, workspace_names, workspace_owners
    FROM whole_accounts
    WHERE id = ANY ($1::uuid[]) OR name_key = ANY ($2::text[]) OR number = ANY ($3::bigint[])
"""

_DOMAIN_OWNERS = """
    SELECT d.domain, a.id, a.number, a.name
    FROM domains AS d
    JOIN accounts AS a ON a.id = d.account_id
    WHERE d.domain = ANY ($1::text[])
"""

# First of all, so that a domain can move from one account to another in one batch.
_DROP_DOMAINS = """
    DELETE FROM domains AS d
    WHERE d.account_id = ANY ($1::uuid[])
        AND NOT EXISTS (
            SELECT
            FROM unnest($2::text[], $3::uuid[]) AS kept (domain, account_id)
            WHERE kept.domain = d.domain AND kept.account_id = d.account_id
        )
"""

_SAVE = """
    WITH saved AS (
        INSERT INTO accounts AS a (
            id, number, name, name_key, stage, tier, priority, default_owner, default_workspace_id
        )
        SELECT id, number, name, name_key, stage, tier, priority, default_owner, default_workspace_id
        FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::uuid[]
        ) AS new (id, number, name, name_key, stage, tier, priority, default_owner, default_workspace_id)
        ON CONFLICT (id) DO UPDATE
        SET stage = excluded.stage,
            tier = excluded.tier,
            priority = excluded.priority,
            default_owner = excluded.default_owner,
            default_workspace_id = excluded.default_workspace_id
    ),
    housed AS (
        INSERT INTO workspaces AS w (id, account_id, position, name, name_key, default_owner)
        SELECT id, account_id, position, name, name_key, default_owner
        FROM unnest($10::uuid[], $11::uuid[], $12::integer[], $13::text[], $14::text[], $15::text[])
            AS new (id, account_id, position, name, name_key, default_owner)
        ON CONFLICT (id) DO UPDATE
        SET default_owner = excluded.default_owner
    )
    INSERT INTO domains (domain, account_id, position)
    SELECT new.domain, new.account_id, new.position
    FROM unnest($16::text[], $17::uuid[], $18::integer[]) AS new (domain, account_id, position)
    WHERE NOT EXISTS (
        SELECT
        FROM domains AS d
        WHERE d.domain = new.domain AND d.account_id = new.account_id
    )
"""


async def load(tx: Tx, keys: Sequence[str]) -> dict[str, Account]:
    """Every account asked for, locked; one that nobody knows is empty."""
    ids = [UUID(key) for key in keys]
    await tx.execute(_LOCK, ids)
    known = {str(row["id"]): _account(row) for row in await tx.fetch(_READ, ids)}
    return {key: known.get(key) or Account(AccountId(UUID(key))) for key in keys}


async def take_numbers(tx: Tx, count: int) -> list[int]:
    """The next numbers for accounts; one that is not used after all stays a gap."""
    return [row[0] for row in await tx.fetch(_NUMBERS, count)] if count else []


async def find(
    tx: Tx, *, ids: Sequence[AccountId] = (), names: Sequence[str] = (), numbers: Sequence[int] = ()
) -> list[Account]:
    """Those that have one of these ids, names as `name_key` writes them, or numbers. Locks nothing."""
    return [_account(row) for row in await tx.fetch(_FIND, ids, names, numbers)]


async def domain_owners(tx: Tx, domains: Sequence[str]) -> dict[str, Account]:
    """Domain -> the account that has it, without its domains and workspaces; for those that are taken."""
    rows = await tx.fetch(_DOMAIN_OWNERS, domains)
    return {
        row["domain"]: Account(row["id"], row["number"], AccountFacts(id=row["id"], name=row["name"])) for row in rows
    }


async def save(tx: Tx, accounts: Sequence[Account]) -> None:
    """Writes accounts, new workspaces and domains. A name or domain that was taken meanwhile raises
    `UniqueViolationError`."""
    known = [(account, account.facts) for account in accounts if account.facts is not None]
    homes = [(account, n, home) for account, _ in known for n, home in enumerate(account.workspaces)]
    domains = [(domain, account.id, n) for account, _ in known for n, domain in enumerate(account.domains)]
    domain_columns = _columns(domains, 3)
    await tx.execute(_DROP_DOMAINS, [account.id for account, _ in known], *domain_columns[:2])
    await tx.execute(
        _SAVE,
        *_columns([_account_row(account, facts) for account, facts in known], 9),
        *_columns([_workspace_row(account, position, home) for account, position, home in homes], 6),
        *domain_columns,
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]


def _account_row(account: Account, facts: AccountFacts) -> tuple[object, ...]:
    default = account.workspaces[0].id if account.workspaces else None
    return (
        account.id, account.number, facts.name, name_key(facts.name), facts.stage, facts.tier, facts.priority,
        facts.default_owner, default,
    )  # fmt: skip


def _workspace_row(account: Account, position: int, home: WorkspaceFacts) -> tuple[object, ...]:
    return (home.id, account.id, position, home.name, name_key(home.name), home.default_owner)


def _account(row: asyncpg.Record) -> Account:
    homes = zip(row["workspace_ids"], row["workspace_names"], row["workspace_owners"], strict=True)
    return Account(
        id=row["id"],
        number=row["number"],
        facts=AccountFacts(
            id=row["id"], name=row["name"], stage=row["stage"], tier=row["tier"], priority=row["priority"],
            default_owner=row["default_owner"],
        ),
        domains=tuple(row["domains"]),
        workspaces=tuple(WorkspaceFacts(id=home, name=name, default_owner=owner) for home, name, owner in homes),
    )  # fmt: skip
