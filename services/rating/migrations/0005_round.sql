-- Rounds, who takes part and what they declared, and the directories that were published.
CREATE TABLE evaluation_round (
    id         text   NOT NULL,
    state      text   NOT NULL,
    created_at bigint NOT NULL, -- microseconds since 1970, UTC
    body       text   NOT NULL, -- JSON
    CONSTRAINT evaluation_round_pkey PRIMARY KEY (id)
);
CREATE TABLE enrolment (
    round text NOT NULL,
    uscc  text NOT NULL,
    body  text NOT NULL, -- JSON: the declaration with its verdicts
    CONSTRAINT enrolment_pkey PRIMARY KEY (round, uscc)
);
-- Reads by enterprise, of a batch of declarations.
CREATE INDEX enrolment_uscc ON enrolment (uscc);
-- Frozen with its round. Who is not listed is not in it.
CREATE TABLE directory (
    round        text     NOT NULL,
    star         smallint NOT NULL,
    uscc         text     NOT NULL,
    name_zh      text     NOT NULL,
    name_en      text     NOT NULL,
    names_folded text     NOT NULL, -- both in small letters, a line each; for lists
    district     text     NOT NULL,
    sector       text     NOT NULL,
    CONSTRAINT directory_pkey PRIMARY KEY (round, uscc),
    CONSTRAINT directory_star_range CHECK (star BETWEEN 1 AND 5)
);
-- The order in which it is listed.
CREATE INDEX directory_order ON directory (round, star, uscc);
