-- Editions of what the law allows. Appended, never changed: a flag names the edition by which it was
-- let through, and a decision the one by which it was taken. The highest revision is in force.
CREATE TABLE catalogue (
    edition  text   NOT NULL, -- e.g. 2026-1
    revision bigint NOT NULL, -- of the change log, from which on it is in force
    fact     text   NOT NULL, -- JSON: the whole edition and since when it is in force
    CONSTRAINT catalogue_pkey PRIMARY KEY (edition),
    CONSTRAINT catalogue_revision UNIQUE (revision)
);
