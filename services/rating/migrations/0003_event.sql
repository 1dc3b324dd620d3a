-- What happened. A row is added once; only its rectification and repair are filled in later.
CREATE TABLE event (
    uscc text NOT NULL,
    id   text NOT NULL,
    body text NOT NULL, -- JSON
    CONSTRAINT event_pkey PRIMARY KEY (uscc, id)
);
