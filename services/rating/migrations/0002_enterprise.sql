-- The register, and beside it each enterprise's rating in force: one row is all that a command changes.
CREATE TABLE enterprise (
    uscc           text     NOT NULL,
    name_zh        text     NOT NULL,
    name_en        text     NOT NULL,
    names_folded   text     NOT NULL, -- both in small letters, a line each; for lists
    district       text     NOT NULL, -- GB/T 2260
    sector         text     NOT NULL, -- GB/T 4754
    polluter_class text     NOT NULL,
    sites          text     NOT NULL, -- JSON
    etag           integer  NOT NULL,
    state          text     NOT NULL, -- when the rating was last made; for lists
    star           smallint,
    next_at        bigint,            -- when time alone will change it; microseconds since 1970, UTC
    rated          text,              -- JSON: what the rating rests on and its result; null if never rated
    CONSTRAINT enterprise_pkey PRIMARY KEY (uscc),
    -- Shape only; the check character is the domain's business.
    CONSTRAINT enterprise_uscc_shape CHECK (length(uscc) = 18),
    CONSTRAINT enterprise_star_range CHECK (star BETWEEN 1 AND 5),
    CONSTRAINT enterprise_star_state CHECK ((star IS NOT NULL) = (state = 'RATED'))
);
-- What falls due next.
CREATE INDEX enterprise_next_at ON enterprise (next_at, uscc) WHERE next_at IS NOT NULL;
