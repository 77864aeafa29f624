-- Hosts on which deny verdicts are reported and not enforced for a while.

CREATE TABLE break_glass (
    host_id uuid PRIMARY KEY REFERENCES hosts (id),
    ends_at timestamptz NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    started_at timestamptz NOT NULL DEFAULT now(),
    started_by text NOT NULL
);
