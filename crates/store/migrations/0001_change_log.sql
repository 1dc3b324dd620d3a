-- 0001_change_log.sql, common to every service (protocol.md §1).

-- One row. Taking it is the first statement of every joined transaction, so revisions are
-- gapless and in commit order on both engines.
CREATE TABLE change_head (
    one       bigint NOT NULL,
    epoch     text   NOT NULL, -- names this life of the database; the restore command changes it
    revision  bigint NOT NULL, -- of the last change; 0 before the first
    locked_by text   NOT NULL, -- the batch that took the head last
    CONSTRAINT change_head_pkey PRIMARY KEY (one),
    CONSTRAINT change_head_single CHECK (one = 1)
);

-- Appended, never updated. Views and other services live from it.
CREATE TABLE change_log (
    revision   bigint NOT NULL,
    batch      text   NOT NULL, -- the joined transaction that wrote it
    at         bigint NOT NULL, -- microseconds since 1970, UTC
    kind       text   NOT NULL,
    enterprise text,            -- whom it concerns; null: nobody in particular
    body       text   NOT NULL, -- JSON, the full fact after the change
    cause      text,            -- e.g. `sanctions:17`
    -- A second writer at one revision breaks this key: never two histories.
    CONSTRAINT change_log_pkey PRIMARY KEY (revision)
);

-- First answers, so that a repeated call changes nothing and answers the same.
CREATE TABLE request (
    principal  text   NOT NULL,
    method     text   NOT NULL,
    request_id text   NOT NULL,
    body_hash  text   NOT NULL, -- SHA-256, hex
    answer     text   NOT NULL, -- JSON
    revision   bigint NOT NULL, -- what the first caller was told
    at         bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT request_pkey PRIMARY KEY (principal, method, request_id)
);
