-- 0008_receipt.sql
-- Public halves of the replicas' signing keys. A private half never leaves its replica's record folder.
CREATE TABLE signing_key (
    kid        text   NOT NULL, -- thumbprint of the key (RFC 7638)
    x          text   NOT NULL, -- the public key, base64url
    made_at    bigint NOT NULL, -- microseconds since 1970, UTC
    retired_at bigint,          -- NULL: it signs
    asked_by   text   NOT NULL, -- principal and request id of the rotation that made it; empty: a replica by itself
    CONSTRAINT signing_key_pkey PRIMARY KEY (kid)
);
CREATE INDEX signing_key_asked ON signing_key (asked_by);

-- Signed heads of the writers' chains, so that a chain that was written anew can be told from the one that was.
CREATE TABLE checkpoint (
    writer   text   NOT NULL,
    sequence bigint NOT NULL, -- every record up to this one is in the chain
    chain    bytea  NOT NULL,
    made_at  bigint NOT NULL, -- microseconds since 1970, UTC
    jws      text   NOT NULL, -- detached (RFC 7515, appendix F)
    payload  text   NOT NULL, -- what was signed, canonical JSON
    CONSTRAINT checkpoint_pkey PRIMARY KEY (writer, sequence)
);
