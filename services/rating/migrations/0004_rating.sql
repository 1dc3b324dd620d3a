-- Every version of every rating. Appended, never updated: finance may ask what it was told last March.
CREATE TABLE rating (
    uscc     text     NOT NULL,
    version  integer  NOT NULL,
    round    text     NOT NULL,
    state    text     NOT NULL,
    star     smallint,
    total    text     NOT NULL, -- exact decimal
    rated_at bigint   NOT NULL, -- microseconds since 1970, UTC
    cause    text     NOT NULL,
    body     text     NOT NULL, -- JSON: the rating without its awards
    lines    text     NOT NULL, -- JSON: items that gave or took something, in one column
    -- The second of two racing writers would break this key.
    CONSTRAINT rating_pkey PRIMARY KEY (uscc, version),
    CONSTRAINT rating_star_range CHECK (star BETWEEN 1 AND 5)
);
