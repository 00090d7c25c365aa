-- The roles of a hub on a PostgreSQL of your own (SHUQIAO_DATABASE_URL). Run once as superuser:
--
--   OWNER_PASSWORD=… APP_PASSWORD=… psql -f deploy/roles.sql postgres
--
-- Then, at the first start and at each upgrade:
--
--   shuqiao migrate up --database-url postgres://shuqiao_owner:…@host/shuqiao --grant-to shuqiao_app
--   shuqiao serve      --database-url postgres://shuqiao_app:…@host/shuqiao
--
-- shuqiao_owner owns the tables and changes the schema. shuqiao_app, under which the hub serves, reads and writes rows and makes
-- tables of shared rows in schema store; it cannot change or remove evidence, nor change the schema. Backups are made as
-- shuqiao_app; a backup is restored as shuqiao_owner into an empty database, followed by "migrate up … --grant-to shuqiao_app".

\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD

CREATE ROLE shuqiao_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE shuqiao_app LOGIN PASSWORD :'app_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
-- So that restored tables of rows can be given to shuqiao_app, and their sessions be ended.
GRANT shuqiao_app TO shuqiao_owner;
CREATE DATABASE shuqiao OWNER shuqiao_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE shuqiao FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE shuqiao TO shuqiao_app;

\connect shuqiao
ALTER SCHEMA public OWNER TO shuqiao_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
