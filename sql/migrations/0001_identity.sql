-- Who may speak to the server: its CA, hosts, tokens; and the record of every change.

CREATE TABLE ca (
    -- One row: the CA is made once and shared by all servers.
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    certificate_pem text NOT NULL,
    -- PKCS #8 PEM, or sealed with the key in ca_seal_key_file when key_sealed.
    key bytea NOT NULL,
    key_sealed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON ca FROM PUBLIC;

CREATE TABLE enrollment_tokens (
    id uuid PRIMARY KEY,
    -- The secret itself is never stored.
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    description text NOT NULL,
    uses integer NOT NULL DEFAULT 0 CHECK (uses >= 0 AND uses <= uses_max),
    uses_max integer NOT NULL CHECK (uses_max > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE hosts (
    id uuid PRIMARY KEY,
    hostname text NOT NULL,
    machine_id text NOT NULL,
    labels jsonb NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    enrollment_token_id uuid NOT NULL REFERENCES enrollment_tokens (id),
    certificate_serial text NOT NULL,
    certificate_expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    -- From here on: what the last heartbeat said.
    last_seen_at timestamptz,
    version text NOT NULL DEFAULT '',
    kernel text NOT NULL DEFAULT '',
    boot_id text NOT NULL DEFAULT '',
    enforcement text NOT NULL DEFAULT 'unknown'
        CHECK (enforcement IN ('unknown', 'lsm', 'fmod_ret', 'observe')),
    limits text[] NOT NULL DEFAULT '{}',
    policy_revision bigint NOT NULL DEFAULT 0,
    policy_problems text[] NOT NULL DEFAULT '{}',
    generation bigint NOT NULL DEFAULT 0,
    counters jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX hosts_hostname ON hosts (hostname);
CREATE INDEX hosts_machine_id ON hosts (machine_id);

CREATE TABLE api_tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (name) WHERE revoked_at IS NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME;
END
$$;

CREATE TABLE changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    address text NOT NULL,
    what text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL
);
CREATE TRIGGER changes_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
