-- Which version of a scheme is in use since when. A version comes into use once; rows are added, never changed.
CREATE TABLE scheme_activation (
    id          text   NOT NULL,
    version     text   NOT NULL,
    activate_at bigint NOT NULL, -- microseconds since 1970, UTC
    officer     text   NOT NULL,
    decided_at  bigint NOT NULL, -- microseconds since 1970, UTC
    CONSTRAINT scheme_activation_pkey PRIMARY KEY (id, version)
);
-- Who stored a version, so that another officer brings it into use; null: it was shipped.
ALTER TABLE scheme ADD COLUMN author text;
