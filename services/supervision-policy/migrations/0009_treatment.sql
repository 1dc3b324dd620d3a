-- 0009_treatment.sql
-- What departments were told of those whom they follow. A stream is one opening of a subscription; its messages are
-- written here before they are sent, so that the one who reopens gets the very same, from whichever replica.
CREATE TABLE treatment_stream (
    stream     text   NOT NULL, -- id
    department text   NOT NULL,
    matter     text   NOT NULL, -- `departments/{department}/matters/{matter}`
    asked      text   NOT NULL, -- hex SHA-256 of matter, arguments and portfolio: those who reopen name the same
    officer    text   NOT NULL, -- who opened it
    authority  bytea  NOT NULL, -- encoded greenstar.supervision.v1.Authority; empty: none was named
    members    bigint NOT NULL, -- enterprises or hashes of the portfolio
    holder     text   NOT NULL, -- the connection that goes on with it; another takes its place by writing itself here
    sequence   bigint NOT NULL, -- of the last message
    opened_at  bigint NOT NULL, -- microseconds since 1970, UTC
    used_at    bigint NOT NULL, -- last opened, or told something
    CONSTRAINT treatment_stream_pkey PRIMARY KEY (stream)
);
CREATE INDEX treatment_stream_used ON treatment_stream (used_at);

CREATE TABLE treatment_message (
    stream   text   NOT NULL,
    sequence bigint NOT NULL, -- from 1, gapless; the oldest go
    body     bytea  NOT NULL, -- encoded greenstar.supervision.v1.WatchTreatmentsResponse
    CONSTRAINT treatment_message_pkey PRIMARY KEY (stream, sequence)
);

-- What was told last of each.
CREATE TABLE treatment_held (
    stream text  NOT NULL,
    member text  NOT NULL, -- the code, or its hash where that was given
    body   bytea NOT NULL, -- encoded greenstar.supervision.v1.DecideResponse
    CONSTRAINT treatment_held_pkey PRIMARY KEY (stream, member)
);
