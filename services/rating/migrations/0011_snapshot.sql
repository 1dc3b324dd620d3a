-- Lists that were frozen once. Entries are written in parts before the snapshot is, and count only with it.
CREATE TABLE snapshot (
    id   text NOT NULL,
    body text NOT NULL, -- JSON; names the staging whose entries are its own
    CONSTRAINT snapshot_pkey PRIMARY KEY (id)
);
CREATE TABLE snapshot_entry (
    snapshot text     NOT NULL,
    staging  text     NOT NULL, -- who prepares one: of two that race, one is frozen
    uscc     text     NOT NULL,
    name_zh  text     NOT NULL,
    name_en  text     NOT NULL,
    state    text     NOT NULL,
    star     smallint,
    points   text     NOT NULL, -- exact decimal; empty without a star
    version  integer  NOT NULL,
    CONSTRAINT snapshot_entry_pkey PRIMARY KEY (snapshot, staging, uscc),
    CONSTRAINT snapshot_entry_star_range CHECK (star BETWEEN 1 AND 5)
);
