-- Agent sessions. The id is the host's word, so it is unique only within a host.

CREATE TABLE agents (
    host_id uuid NOT NULL REFERENCES hosts (id),
    id text NOT NULL,
    agent_type text NOT NULL,
    root_pid bigint NOT NULL,
    exe text NOT NULL,
    user_name text NOT NULL,
    evidence text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    -- Operations by verdict, repetitions counted.
    allowed bigint NOT NULL DEFAULT 0,
    alerted bigint NOT NULL DEFAULT 0,
    denied bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (host_id, id)
) WITH (fillfactor = 70);
CREATE INDEX agents_id ON agents (id);
CREATE INDEX agents_started_at ON agents (started_at DESC);
