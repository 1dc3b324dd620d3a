-- Proposals are most of what is written, and nobody looks for them by stage: what follows and what lapses looks for
-- flags that were confirmed. So these two indexes hold no others.
DROP INDEX flag_by_stage;
DROP INDEX flag_by_end;
-- Snapshots: what is in force, by id.
CREATE INDEX flag_in_force ON flag (id) WHERE stage = 'in_force';
-- Terms that have ended and are not written down yet.
CREATE INDEX flag_ending ON flag (ends_at, id) WHERE stage IN ('in_force', 'suspended');
