-- Up to when each source of data is complete, as it says itself.
CREATE TABLE source (
    id   text NOT NULL, -- register, declarations, sanctions or events-{department}
    body text NOT NULL, -- JSON
    CONSTRAINT source_pkey PRIMARY KEY (id)
);
-- What came in from each, month by month: what accuracy is measured against.
CREATE TABLE source_month (
    source   text   NOT NULL,
    month    text   NOT NULL, -- YYYY-MM, Asia/Shanghai
    received bigint NOT NULL,
    last_at  bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT source_month_pkey PRIMARY KEY (source, month)
);
-- Claims that a datum is wrong.
CREATE TABLE data_error (
    uscc     text   NOT NULL,
    id       text   NOT NULL,
    source   text   NOT NULL,
    month    text   NOT NULL, -- in which it was reported
    state    text   NOT NULL,
    reporter text   NOT NULL,
    due      text   NOT NULL, -- last day for the answer, YYYY-MM-DD
    body     text   NOT NULL, -- JSON
    CONSTRAINT data_error_pkey PRIMARY KEY (uscc, id)
);
-- The order in which claims are listed.
CREATE INDEX data_error_due ON data_error (due, uscc, id);
