-- Policies, their versions, and where they hold.

CREATE TABLE policies (
    name text PRIMARY KEY,
    -- Newest version.
    version bigint NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE policy_versions (
    policy text NOT NULL REFERENCES policies (name),
    version bigint NOT NULL CHECK (version > 0),
    yaml text NOT NULL,
    description text NOT NULL,
    rules integer NOT NULL,
    rollback_of bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (policy, version)
);
CREATE TRIGGER policy_versions_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE assignments (
    id uuid PRIMARY KEY,
    policy text NOT NULL REFERENCES policies (name),
    -- Null: always the newest version.
    version bigint,
    target text NOT NULL CHECK (target IN ('all', 'host', 'label')),
    host_id uuid REFERENCES hosts (id),
    label_key text,
    label_value text,
    -- Sorted, without repetition; empty: every agent.
    agent_types text[] NOT NULL,
    mode text NOT NULL CHECK (mode IN ('enforce', 'monitor')),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    FOREIGN KEY (policy, version) REFERENCES policy_versions (policy, version),
    CHECK ((target = 'host') = (host_id IS NOT NULL)),
    CHECK ((target = 'label') = (label_key IS NOT NULL AND label_value IS NOT NULL))
);
-- Assigning again replaces. PostgreSQL 14 counts nulls as distinct, so they are mapped away.
CREATE UNIQUE INDEX assignments_target ON assignments (
    policy,
    target,
    COALESCE(host_id, '00000000-0000-0000-0000-000000000000'),
    COALESCE(label_key, ''),
    COALESCE(label_value, ''),
    agent_types
);

CREATE TABLE policy_revision (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Grows with every change of what holds anywhere.
    revision bigint NOT NULL
);
INSERT INTO policy_revision (revision) VALUES (1);
