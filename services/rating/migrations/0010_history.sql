-- Two times of every version: it holds from rated_at, and it is known since recorded_at; what time alone changed is
-- often written later than it holds. Older rows were recorded when they were made.
ALTER TABLE rating ADD COLUMN recorded_at bigint; -- microseconds since 1970, UTC; null: rated_at
ALTER TABLE rating ADD COLUMN explained text;     -- JSON: vetoes and gates of the version; null: to be scored again
ALTER TABLE rating ADD COLUMN awards text;        -- JSON: what was awarded; null: as in the version before
-- What a firm is told of its rating: written with the change, so that nobody sees it earlier than the firm can.
CREATE TABLE rating_notice (
    uscc            text    NOT NULL,
    id              text    NOT NULL,
    version         integer NOT NULL, -- of the rating; 0 without one
    made_at         bigint  NOT NULL, -- microseconds since 1970, UTC
    acknowledged_at bigint,           -- when the firm read it
    body            text    NOT NULL, -- JSON
    CONSTRAINT rating_notice_pkey PRIMARY KEY (uscc, id)
);
