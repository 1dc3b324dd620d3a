-- What the sanctions log told of documents, so that a repair or an annulment reaches every event of them. Flags that
-- are over and said nothing of their document are not kept.
CREATE TABLE flagged (
    uscc  text NOT NULL,
    flag  text NOT NULL,
    epoch text NOT NULL, -- of the log that told of it
    body  text NOT NULL, -- JSON
    CONSTRAINT flagged_pkey PRIMARY KEY (uscc, flag)
);
-- Up to where that log was taken. Compared and set in the transaction that scores again.
CREATE TABLE followed (
    log        text   NOT NULL,
    epoch      text   NOT NULL,
    revision   bigint NOT NULL,
    settles_at bigint, -- what other epochs told is kept until this revision
    CONSTRAINT followed_pkey PRIMARY KEY (log)
);
