-- Runs once, when the volume of PostgreSQL is new: a database for each service.
-- The order of texts is the bytes', as in SQLite, so that lists page alike on both engines.
CREATE DATABASE rating      TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
CREATE DATABASE sanctions   TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
CREATE DATABASE supervision TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
