-- 0001_policy.sql
-- Appended, never updated: a decision of last March must be retold by the text of last March.
-- The highest version of a policy whose instant has come is in force.
CREATE TABLE policy (
    name         text   NOT NULL, -- e.g. `licensing`; `baseline` is the jurisdiction's floor
    version      bigint NOT NULL, -- counted up by each publication
    source       text   NOT NULL, -- YAML, as its author wrote it
    effective_at bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT policy_pkey PRIMARY KEY (name, version),
    CONSTRAINT policy_version_counts CHECK (version > 0)
);
