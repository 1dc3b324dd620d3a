-- 0006_shadow.sql
-- Drafts that are evaluated beside live traffic. Every replica reads which they are, and adds what it counted.
CREATE TABLE shadow (
    draft      text   NOT NULL, -- id
    source     text   NOT NULL, -- YAML, as it was validated when it began: a draft that is written anew is another text
    started_at bigint NOT NULL, -- microseconds since 1970, UTC
    ends_at    bigint NOT NULL, -- stopping brings it forward
    evaluated  bigint NOT NULL, -- decisions, by all replicas
    different  bigint NOT NULL, -- of them, those that the draft would have made differently
    dropped    bigint NOT NULL, -- differences that were not kept, and decisions that were not looked at
    CONSTRAINT shadow_pkey PRIMARY KEY (draft)
);
CREATE INDEX shadow_running ON shadow (ends_at);

-- What they would have answered differently, and nothing else.
CREATE TABLE shadow_difference (
    draft            text   NOT NULL,
    id               text   NOT NULL, -- rising with time
    decision         text   NOT NULL, -- `decisions/{decision}`; empty: the decision was not kept
    enterprise       text   NOT NULL,
    matter           text   NOT NULL,
    outcome          text   NOT NULL,
    shadow_outcome   text   NOT NULL,
    measures_dropped text   NOT NULL, -- JSON list of texts
    measures_added   text   NOT NULL, -- JSON list of texts
    as_of            bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT shadow_difference_pkey PRIMARY KEY (draft, id)
);
