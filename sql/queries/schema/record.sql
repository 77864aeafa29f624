-- Records a migration as applied.
-- $1 number int · $2 name text · $3 sha256 bytea
INSERT INTO schema_migrations (number, name, sha256) VALUES ($1::int, $2::text, $3::bytea)
