-- The audit.
--
-- A record is kept once: `audits` holds the number and the chain of the newest record of a host,
-- and is locked while more are added. No index over all partitions is needed for that.
--
-- `position` is the order of commits over all hosts. It is taken from a locked row in the
-- transaction that inserts, so whoever has seen position N has seen all before it.

CREATE TYPE event_kind AS ENUM (
    'operation', 'agent_started', 'agent_ended', 'lost', 'policy_applied', 'alarm'
);
CREATE TYPE event_action AS ENUM (
    'file_read', 'file_write', 'exec', 'net_connect', 'tls_connect'
);
CREATE TYPE event_verdict AS ENUM ('allow', 'alert', 'deny');
CREATE TYPE event_severity AS ENUM ('low', 'medium', 'high', 'critical');

CREATE TABLE audits (
    host_id uuid PRIMARY KEY REFERENCES hosts (id),
    acknowledged bigint NOT NULL DEFAULT 0,
    chain bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(chain) = 32)
) WITH (fillfactor = 50);

CREATE TABLE event_position (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    -- Of the newest event.
    position bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO event_position (position) VALUES (0);

-- Partitioned by the day of arrival, which no host can choose.
CREATE TABLE events (
    day date NOT NULL,
    position bigint NOT NULL,
    host_id uuid NOT NULL,
    sequence bigint NOT NULL,
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    kind event_kind NOT NULL,
    agent_id text,
    agent_type text,
    pid bigint NOT NULL,
    parent_pid bigint NOT NULL,
    uid bigint NOT NULL,
    user_name text NOT NULL,
    exe text NOT NULL,
    comm text NOT NULL,
    args text[] NOT NULL,
    container text NOT NULL,
    -- [{"pid": 1, "exe": "/sbin/init"}], nearest first.
    lineage jsonb NOT NULL,
    action event_action,
    resource text,
    verdict event_verdict,
    enforced boolean,
    severity event_severity,
    policy text,
    policy_version bigint,
    rule text,
    reason text NOT NULL,
    count bigint NOT NULL,
    -- Other fields of the body, by kind; null for an operation.
    detail jsonb,
    PRIMARY KEY (position, day)
) PARTITION BY RANGE (day);
CREATE INDEX events_time ON events (time DESC, position DESC);
CREATE INDEX events_host ON events (host_id, time DESC);
CREATE INDEX events_agent ON events (agent_id, time DESC) WHERE agent_id IS NOT NULL;

-- Makes the partition of a day unless it is there. Attaching, unlike CREATE … PARTITION OF, does
-- not wait for readers.
CREATE FUNCTION ensure_event_partition(wanted date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'events_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Waits for whoever makes one now, and unlike an advisory lock lets its table be seen after.
    LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS)', partition);
    EXECUTE format(
        'ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, wanted, wanted + 1
    );
    RETURN true;
END
$$;

-- Drops the partitions of all days before `oldest` and gives their days.
CREATE FUNCTION drop_event_partitions(oldest date) RETURNS SETOF date LANGUAGE plpgsql AS $$
DECLARE
    partition record;
BEGIN
    FOR partition IN
        SELECT child.relname, to_date(right(child.relname, 8), 'YYYYMMDD') AS day
        FROM pg_inherits
        JOIN pg_class child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'events'::regclass
    LOOP
        IF partition.day < oldest THEN
            EXECUTE format('DROP TABLE %I', partition.relname);
            RETURN NEXT partition.day;
        END IF;
    END LOOP;
END
$$;
