-- 0005_lifecycle.sql
-- Who made a version, and by which rules it is evaluated. Rows are appended and never change.
ALTER TABLE policy ADD COLUMN revision bigint NOT NULL DEFAULT 0;     -- of the policy log, that published it
ALTER TABLE policy ADD COLUMN department text NOT NULL DEFAULT '';    -- whose it is
ALTER TABLE policy ADD COLUMN published_at bigint NOT NULL DEFAULT 0; -- microseconds since 1970, UTC
ALTER TABLE policy ADD COLUMN author text;                            -- these three: NULL for a shipped one
ALTER TABLE policy ADD COLUMN approver text;
ALTER TABLE policy ADD COLUMN publisher text;
ALTER TABLE policy ADD COLUMN note text NOT NULL DEFAULT '';          -- why
ALTER TABLE policy ADD COLUMN rollback_of bigint;                     -- version whose text was brought back
ALTER TABLE policy ADD COLUMN evaluator text NOT NULL DEFAULT '3';    -- the rules that were in use until now
-- Until now there were the shipped policies and no others.
UPDATE policy SET published_at = effective_at,
    department = CASE name WHEN 'licensing-default' THEN 'licensing' WHEN 'finance-default' THEN 'finance'
                           WHEN 'enforcement-default' THEN 'enforcement' ELSE name END;

-- Policies in the making.
CREATE TABLE policy_draft (
    id         text   NOT NULL,
    department text   NOT NULL, -- whose it is; nobody else sees it
    created_at bigint NOT NULL, -- microseconds since 1970, UTC
    fact       text   NOT NULL, -- all but the source, JSON
    source     text   NOT NULL, -- YAML, as its author wrote it
    CONSTRAINT policy_draft_pkey PRIMARY KEY (id)
);
CREATE INDEX policy_draft_order ON policy_draft (department, created_at, id);

-- What each replica decides by. A replica renews its row, and takes it away when it stops.
CREATE TABLE policy_replica (
    name           text   NOT NULL,
    epoch          text   NOT NULL,
    applied        bigint NOT NULL, -- revision of the policy log
    fit            bigint NOT NULL, -- 1: its policies fit its catalogue
    policy_version text   NOT NULL,
    reported_at    bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT policy_replica_pkey PRIMARY KEY (name)
);
