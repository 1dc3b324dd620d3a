-- More ways for a flag to end, suspension, and editions that take effect later.
--
-- A check cannot be changed on SQLite, so the table is made anew under the same name.
CREATE TABLE flag_next (
    id         text   NOT NULL,
    enterprise text   NOT NULL,
    department text   NOT NULL,
    stage      text   NOT NULL,
    raised_at  bigint NOT NULL, -- microseconds since 1970, UTC
    ends_at    bigint NOT NULL, -- from then on it binds nobody; the stage follows a moment later
    fact       text   NOT NULL, -- JSON
    CONSTRAINT flag_id PRIMARY KEY (id),
    -- Shape only; the check character is the domain's business.
    CONSTRAINT flag_enterprise_is_18 CHECK (length(enterprise) = 18),
    CONSTRAINT flag_stage_is_known CHECK (stage IN (
        'proposed', 'withdrawn', 'in_force', 'suspended', 'lapsed', 'lifted', 'repaired', 'revoked'
    ))
);
INSERT INTO flag_next (id, enterprise, department, stage, raised_at, ends_at, fact)
    SELECT id, enterprise, department, stage, raised_at, ends_at, fact FROM flag;
DROP TABLE flag;
ALTER TABLE flag_next RENAME TO flag;
-- Lists: of one enterprise, and of all; newest first.
CREATE INDEX flag_by_enterprise ON flag (enterprise, raised_at, id);
CREATE INDEX flag_by_time ON flag (raised_at, id);
-- Snapshots: what is in force, by id.
CREATE INDEX flag_by_stage ON flag (stage, id);
-- Terms that have ended and are not written down yet.
CREATE INDEX flag_by_end ON flag (stage, ends_at);
