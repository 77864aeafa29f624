-- The newest revision.
SELECT revision FROM policy_revision
