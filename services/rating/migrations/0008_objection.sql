-- Objections to ratings, and what became of them.
CREATE TABLE objection (
    uscc   text    NOT NULL,
    id     text    NOT NULL, -- grows with time
    due_at bigint  NOT NULL, -- when its decision is late; microseconds since 1970, UTC
    open   integer NOT NULL, -- 1: nobody has decided
    body   text    NOT NULL, -- JSON
    CONSTRAINT objection_pkey PRIMARY KEY (uscc, id)
);
-- All of them, newest first, and those that are late.
CREATE INDEX objection_id ON objection (id);
CREATE INDEX objection_due ON objection (due_at) WHERE open = 1;
