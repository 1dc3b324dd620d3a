-- Appeals as they stand now, kept as repairs are.
CREATE TABLE appeal (
    id         text   NOT NULL,
    enterprise text   NOT NULL,
    department text   NOT NULL, -- that recognised the fault and decides
    stage      text   NOT NULL,
    opened_at  bigint NOT NULL, -- microseconds since 1970, UTC
    due_at     bigint NOT NULL, -- from then on the decision is late; no row changes at that moment
    fact       text   NOT NULL, -- JSON
    CONSTRAINT appeal_pkey PRIMARY KEY (id),
    CONSTRAINT appeal_stage_known CHECK (stage IN ('filed', 'dismissed', 'annulled', 'amended', 'withdrawn'))
);
-- Lists: of one enterprise, and of a department; newest first.
CREATE INDEX appeal_by_enterprise ON appeal (enterprise, opened_at, id);
CREATE INDEX appeal_by_department ON appeal (department, opened_at, id);
-- What waits for its decision.
CREATE INDEX appeal_by_stage ON appeal (department, stage, due_at);
