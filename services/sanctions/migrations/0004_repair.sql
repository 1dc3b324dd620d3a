-- Repairs as they stand now. `fact` is the repair, whole; the columns beside it repeat what queries look for, and are
-- written with it or not at all.
CREATE TABLE repair (
    id          text   NOT NULL,
    enterprise  text   NOT NULL,
    department  text   NOT NULL, -- that recognised the fault and reviews
    stage       text   NOT NULL,
    opened_at   bigint NOT NULL, -- microseconds since 1970, UTC
    due_at      bigint NOT NULL, -- from then on the review is late; no row changes at that moment
    certificate text,            -- number of the certificate, once it is granted
    fact        text   NOT NULL, -- JSON
    CONSTRAINT repair_pkey PRIMARY KEY (id),
    CONSTRAINT repair_certificate UNIQUE (certificate),
    CONSTRAINT repair_stage_known CHECK (stage IN ('applied', 'granted', 'refused', 'withdrawn'))
);
-- Lists: of one enterprise, and of a department; newest first.
CREATE INDEX repair_by_enterprise ON repair (enterprise, opened_at, id);
CREATE INDEX repair_by_department ON repair (department, opened_at, id);
-- What waits for its review.
CREATE INDEX repair_by_stage ON repair (department, stage, due_at);
