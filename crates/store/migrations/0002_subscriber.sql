-- 0002_subscriber.sql, common to every service (protocol.md §5): who follows its log. No change log tells
-- of these rows; what subscribers have applied is kept in memory.

-- One row a name, until an operator removes it.
CREATE TABLE subscriber (
    name            text   NOT NULL,
    session         text   NOT NULL, -- the watch that speaks for it; an older one of the name ends
    replica         text   NOT NULL, -- of the service, on which that watch was opened
    fences_after_ms bigint,          -- null: a department's own system, which never counts as fenced
    filter          text   NOT NULL, -- JSON; what it wants to hear of
    registered_at   bigint NOT NULL, -- microseconds since 1970, UTC
    renewed_at      bigint NOT NULL, -- when it was last heard, to a second
    CONSTRAINT subscriber_pkey PRIMARY KEY (name)
);

-- The service's replicas, which ask one another who is connected.
CREATE TABLE replica (
    id         text   NOT NULL,
    url        text   NOT NULL, -- empty: siblings cannot reach it
    renewed_at bigint NOT NULL, -- a lease: renewed every second
    CONSTRAINT replica_pkey PRIMARY KEY (id)
);
