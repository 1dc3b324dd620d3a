-- Flags as they stand now; how they came there is in the change log. `fact` is the flag, whole. The
-- columns beside it repeat what queries look for, and are written with it or not at all.
CREATE TABLE flag (
    id         text   NOT NULL,
    enterprise text   NOT NULL,
    department text   NOT NULL,
    stage      text   NOT NULL,
    raised_at  bigint NOT NULL, -- microseconds since 1970, UTC
    ends_at    bigint NOT NULL, -- from then on it binds nobody; no row changes at that moment
    fact       text   NOT NULL, -- JSON
    CONSTRAINT flag_pkey PRIMARY KEY (id),
    -- Shape only; the check character is the domain's business.
    CONSTRAINT flag_enterprise_shape CHECK (length(enterprise) = 18),
    CONSTRAINT flag_stage_known CHECK (stage IN ('proposed', 'withdrawn', 'in_force', 'lifted'))
);
-- Lists: of one enterprise, and of all; newest first.
CREATE INDEX flag_by_enterprise ON flag (enterprise, raised_at, id);
CREATE INDEX flag_by_time ON flag (raised_at, id);
-- Snapshots: what is in force, by id.
CREATE INDEX flag_by_stage ON flag (stage, id);
