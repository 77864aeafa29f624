-- A host that has redeemed a token.
-- $1 id uuid · $2 hostname text · $3 machine_id text · $4 labels jsonb
-- $5 enrollment_token_id uuid · $6 certificate_serial text · $7 certificate_expires_at timestamptz
INSERT INTO hosts (
    id, hostname, machine_id, labels,
    enrollment_token_id, certificate_serial, certificate_expires_at
)
VALUES (
    $1::uuid, $2::text, $3::text, $4::jsonb,
    $5::uuid, $6::text, $7::timestamptz
)
