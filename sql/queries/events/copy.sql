-- Takes events in PostgreSQL's binary format.
COPY events (
    day, position, host_id, sequence, time, received_at, kind, agent_id, agent_type,
    pid, parent_pid, uid, user_name, exe, comm, args, container, lineage,
    action, resource, verdict, enforced, severity, policy, policy_version, rule, reason,
    count, detail
) FROM STDIN (FORMAT binary)
