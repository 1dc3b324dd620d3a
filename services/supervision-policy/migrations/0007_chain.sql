-- 0007_chain.sql
-- Each writer's records are chained (src/record/chain.rs): whoever kept an earlier link sees that a record was
-- changed, exchanged or taken away. Retention takes salt and body; leaf and link stay.
ALTER TABLE decision ADD COLUMN chain bytea; -- link of this sequence; NULL: shipped by an earlier release, soon computed
ALTER TABLE decision_writer ADD COLUMN chained bigint NOT NULL DEFAULT 0; -- the chain is computed up to here
ALTER TABLE decision_writer ADD COLUMN chain bytea; -- link of `chained`; NULL where that is 0
-- Decisions of sampled matters that left no record.
ALTER TABLE decision_writer ADD COLUMN not_kept bigint NOT NULL DEFAULT 0;

-- Sequences that were given to nobody, because their write failed: gaps that are explained.
CREATE TABLE decision_skip (
    writer         text   NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence  bigint NOT NULL,
    CONSTRAINT decision_skip_pkey PRIMARY KEY (writer, first_sequence),
    CONSTRAINT decision_skip_order CHECK (last_sequence >= first_sequence)
);

-- Editions of the catalogue that decisions were made by, so that they can be made again without the sanctions service.
CREATE TABLE catalogue_edition (
    edition text  NOT NULL, -- e.g. `2026-1`
    source  bytea NOT NULL, -- encoded greenstar.sanctions.v1.Catalogue, as it came
    CONSTRAINT catalogue_edition_pkey PRIMARY KEY (edition)
);

-- Lists: a department's own, and those about a firm, the newest first.
CREATE INDEX decision_of_department ON decision (department, as_of DESC, writer, sequence);
CREATE INDEX decision_about ON decision (enterprise, as_of DESC, writer, sequence);
-- What retention looks for; it shrinks as retention goes on.
CREATE INDEX decision_kept ON decision (matter, as_of) WHERE body IS NOT NULL;
