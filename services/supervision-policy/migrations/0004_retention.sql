-- 0004_retention.sql
-- What is due ends with its measure, and a request is repeated within days or not at all.
ALTER TABLE decision_due ADD COLUMN ends_at bigint; -- microseconds since 1970, UTC; NULL: open
CREATE INDEX decision_due_end ON decision_due (ends_at);
ALTER TABLE application_request ADD COLUMN made_at bigint NOT NULL DEFAULT 0;
CREATE INDEX application_request_age ON application_request (made_at);
