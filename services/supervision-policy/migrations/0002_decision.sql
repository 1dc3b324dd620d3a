-- 0002_decision.sql
-- Decisions as the replicas recorded them, shipped here in the background (protocol.md §8).
-- Retention deletes salt and body; what chains were made of stays.
CREATE TABLE decision (
    writer     text   NOT NULL, -- one life of a replica's record folder
    sequence   bigint NOT NULL, -- from 1, rising without gaps
    department text   NOT NULL, -- who asked
    enterprise text   NOT NULL, -- about whom
    matter     text   NOT NULL,
    as_of      bigint NOT NULL, -- microseconds since 1970, UTC
    salt       bytea,
    leaf       bytea  NOT NULL, -- SHA-256 of salt and body
    body       bytea,           -- encoded greenstar.supervision.v1.Decision without its name
    CONSTRAINT decision_pkey PRIMARY KEY (writer, sequence)
);

-- How far each writer is shipped: beyond it, a record may still stand in the writer's own folder.
CREATE TABLE decision_writer (
    writer  text   NOT NULL,
    through bigint NOT NULL, -- every record up to this sequence is in `decision`
    ended   bigint NOT NULL, -- 1: the writer's life is over and there is nothing beyond
    CONSTRAINT decision_writer_pkey PRIMARY KEY (writer)
);
