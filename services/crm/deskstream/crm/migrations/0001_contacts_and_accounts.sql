-- Who writes to us: contacts with the identities by which they are recognised, and the organisations behind them.

CREATE SEQUENCE account_number;

CREATE TABLE accounts (
    id                   uuid   PRIMARY KEY,
    number               bigint NOT NULL UNIQUE,
    name                 text   NOT NULL,
    -- Equal for all spellings of one name.
    name_key             text   NOT NULL UNIQUE,
    stage                text   NOT NULL CHECK (stage IN ('prospect', 'customer', 'churned')),
    tier                 text,
    priority             text   CHECK (priority IN ('urgent', 'high', 'normal', 'low')),
    default_owner        text,
    default_workspace_id uuid
);

CREATE TABLE workspaces (
    id            uuid    PRIMARY KEY,
    account_id    uuid    NOT NULL REFERENCES accounts (id),
    -- The first one is the account's default.
    position      integer NOT NULL,
    name          text    NOT NULL,
    name_key      text    NOT NULL,
    default_owner text,
    UNIQUE (account_id, name_key)
);

ALTER TABLE accounts
    ADD FOREIGN KEY (default_workspace_id) REFERENCES workspaces (id);

CREATE TABLE domains (
    domain     text    PRIMARY KEY,
    account_id uuid    NOT NULL REFERENCES accounts (id),
    position   integer NOT NULL
);

CREATE INDEX domains_by_account ON domains (account_id);

CREATE TABLE contacts (
    id           uuid PRIMARY KEY,
    -- Empty until somebody gave one.
    name         text NOT NULL DEFAULT '',
    email        text,
    phone        text,
    -- Company domains that the mail address may belong to, longest first, separated by spaces.
    mail_domains text NOT NULL DEFAULT '',
    -- Only where somebody gave one: else the mail domain decides, each time anew.
    account_id   uuid REFERENCES accounts (id),
    workspace_id uuid REFERENCES workspaces (id),
    CHECK (workspace_id IS NULL OR account_id IS NOT NULL)
);

CREATE INDEX contacts_by_account ON contacts (account_id) WHERE account_id IS NOT NULL;

-- `mailto:anna@acme.com`, `tel:+491711234567`, `slack/U024BE7LH`: each belongs to one contact.
CREATE TABLE identities (
    identity   text PRIMARY KEY,
    contact_id uuid NOT NULL REFERENCES contacts (id)
);

CREATE INDEX identities_by_contact ON identities (contact_id);

CREATE VIEW whole_accounts AS
SELECT
    a.id,
    a.number,
    a.name,
    a.name_key,
    a.stage,
    a.tier,
    a.priority,
    a.default_owner,
    ARRAY(SELECT d.domain FROM domains AS d WHERE d.account_id = a.id ORDER BY d.position, d.domain) AS domains,
    ARRAY(SELECT w.id FROM workspaces AS w WHERE w.account_id = a.id ORDER BY w.position) AS workspace_ids,
    ARRAY(SELECT w.name FROM workspaces AS w WHERE w.account_id = a.id ORDER BY w.position) AS workspace_names,
    ARRAY(SELECT w.default_owner FROM workspaces AS w WHERE w.account_id = a.id ORDER BY w.position)
        AS workspace_owners
FROM accounts AS a;
