-- The CA, if it has been made.
SELECT certificate_pem, key, key_sealed FROM ca
