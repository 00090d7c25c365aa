-- Keys that sign requests, clients that must sign or come with a certificate, and notices of keys that are about to end.

-- +goose Up

-- certificates are SHA-256 digests, in hexadecimal, of the public keys (SubjectPublicKeyInfo) a client may connect with.
ALTER TABLE client
    ADD COLUMN signed_only boolean NOT NULL DEFAULT false,
    ADD COLUMN certificates text[] NOT NULL DEFAULT '{}';

-- A bearer key is kept as a hash. The secret of a signing key is needed to check signatures and is kept sealed.
ALTER TABLE client_key
    ADD COLUMN kind text NOT NULL DEFAULT 'bearer',
    ADD COLUMN secret_sealed bytea,
    ALTER COLUMN secret_hash DROP NOT NULL,
    ADD CONSTRAINT client_key_secret CHECK (
        kind = 'bearer' AND secret_hash IS NOT NULL AND secret_sealed IS NULL
        OR kind = 'hmac' AND secret_hash IS NULL AND secret_sealed IS NOT NULL);
CREATE INDEX client_key_expiry ON client_key (expires_at) WHERE revoked_at IS NULL;

-- A nonce of a signed request that was accepted; it is refused on every node until its timestamp alone would be.
-- The table is logged: after a crash an unlogged one would be empty, and what was sent before could be sent again.
CREATE TABLE request_nonce (
    key_id     text NOT NULL,
    nonce      text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX request_nonce_expiry ON request_nonce (expires_at);

-- One notice per key, rule (days before the end) and end.
CREATE TABLE key_notice (
    key_id   text NOT NULL REFERENCES client_key,
    rule     text NOT NULL,
    due_at   timestamptz NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, rule, due_at)
);

-- +goose Down
DROP TABLE key_notice, request_nonce;
DROP INDEX client_key_expiry;
-- A signing key cannot be told to a schema that knows hashes only.
DELETE FROM client_key WHERE kind = 'hmac';
ALTER TABLE client_key
    DROP CONSTRAINT client_key_secret,
    ALTER COLUMN secret_hash SET NOT NULL,
    DROP COLUMN secret_sealed,
    DROP COLUMN kind;
ALTER TABLE client
    DROP COLUMN certificates,
    DROP COLUMN signed_only;
