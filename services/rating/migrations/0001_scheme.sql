-- Schemes as their authors wrote them. A version never changes: a rating names the one that made it.
CREATE TABLE scheme (
    id         text   NOT NULL,
    version    text   NOT NULL,
    source     text   NOT NULL, -- YAML
    created_at bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT scheme_pkey PRIMARY KEY (id, version)
);
