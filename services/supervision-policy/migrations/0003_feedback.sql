-- 0003_feedback.sql
-- Where a writer's replica is reached: what is not shipped yet is asked of it. Empty: nowhere.
ALTER TABLE decision_writer ADD COLUMN url text NOT NULL DEFAULT '';

-- Restrictive measures (classes 1 and 2) of decisions that nobody has reported as applied. Made when a
-- decision is shipped, gone when it is reported; what flags make due is not kept, it follows from the view.
CREATE TABLE decision_due (
    subject    text   NOT NULL, -- `decisions/{decision}`
    department text   NOT NULL, -- whose decision it is
    measure    text   NOT NULL, -- code by the catalogue
    enterprise text   NOT NULL, -- `enterprises/{uscc}`
    due_at     bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT decision_due_pkey PRIMARY KEY (subject, department, measure)
);
CREATE INDEX decision_due_order ON decision_due (due_at, subject, department, measure);

-- What departments said they did; the last report on a measure of a subject.
CREATE TABLE application (
    subject     text   NOT NULL, -- `decisions/{decision}` or `enterprises/{uscc}/flags/{flag}`
    department  text   NOT NULL,
    measure     text   NOT NULL,
    application bigint NOT NULL, -- as the contract numbers them: 1 applied, 2 not applied, 3 not applicable
    note        text   NOT NULL,
    officer     text   NOT NULL,
    reported_at bigint NOT NULL,
    CONSTRAINT application_pkey PRIMARY KEY (subject, department, measure),
    CONSTRAINT application_known CHECK (application BETWEEN 1 AND 3)
);

-- Answers by request id, for those who repeat a report.
CREATE TABLE application_request (
    principal  text  NOT NULL,
    request_id text  NOT NULL,
    body_hash  text  NOT NULL, -- SHA-256 of the request without its id
    answer     bytea NOT NULL, -- encoded ReportApplicationResponse
    CONSTRAINT application_request_pkey PRIMARY KEY (principal, request_id)
);
