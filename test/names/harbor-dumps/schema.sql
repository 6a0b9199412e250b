-- Tables shaped as those of Harbor 2.x that say which tag means what, with rows that are hard to read.
-- The dumps beside this file were made of it by PostgreSQL 15:
--   createdb registry && psql -q registry -f schema.sql
--   pg_dump registry > copy.sql
--   pg_dump --inserts registry > inserts.sql
--   pg_dump --column-inserts --rows-per-insert=2 --on-conflict-do-nothing registry > column-inserts.sql
--   pg_dump --data-only -t repository -t artifact -t tag --inserts registry > three-tables.sql
--   each then without its random \restrict and \unrestrict lines where pg_dump writes them
CREATE TABLE project (project_id serial PRIMARY KEY, owner_id integer NOT NULL, name varchar(255) NOT NULL UNIQUE, creation_time timestamp DEFAULT '2026-01-01', deleted boolean DEFAULT false NOT NULL);
CREATE TABLE repository (repository_id serial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, project_id integer NOT NULL, description text, pull_count integer DEFAULT 0 NOT NULL, star_count integer DEFAULT 0 NOT NULL, creation_time timestamp DEFAULT '2026-01-01', update_time timestamp DEFAULT '2026-01-01');
CREATE TABLE artifact (id serial PRIMARY KEY, type varchar(255) NOT NULL, media_type varchar(255) NOT NULL, manifest_media_type varchar(255) NOT NULL, artifact_type varchar(255) NOT NULL, project_id integer NOT NULL, repository_id integer NOT NULL, repository_name varchar(255) NOT NULL, digest varchar(255) NOT NULL, size bigint, push_time timestamp DEFAULT '2026-01-01', pull_time timestamp, extra_attrs text, annotations jsonb, icon varchar(255), CONSTRAINT unique_artifact UNIQUE (repository_id, digest));
CREATE TABLE tag (id serial PRIMARY KEY, repository_id integer NOT NULL, artifact_id integer NOT NULL REFERENCES artifact(id), name varchar(255) NOT NULL, push_time timestamp DEFAULT '2026-01-01', pull_time timestamp, CONSTRAINT unique_tag UNIQUE (repository_id, name));
CREATE TABLE tag_retention (id serial PRIMARY KEY, name text, data text);
CREATE TABLE audit_log (id serial PRIMARY KEY, resource text, statement text);
INSERT INTO project (owner_id, name) VALUES (1, 'library'), (1, 'team');
INSERT INTO repository (name, project_id, description) VALUES
  ('library/nginx', 1, E'first line;\nINSERT INTO public.tag VALUES (9, 1, 1, ''trap'', NULL, NULL);\n\\.\nO''Brien\ttab \\ backslash'),
  ('team/app', 2, NULL);
INSERT INTO artifact (type, media_type, manifest_media_type, artifact_type, project_id, repository_id, repository_name, digest, size, extra_attrs, annotations) VALUES
  ('IMAGE', 'application/vnd.docker.container.image.v1+json', 'application/vnd.docker.distribution.manifest.v2+json', '', 1, 1, 'library/nginx', 'sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', 5, E'{"author":"O''Brien; (x), \\"COPY public.tag (id) FROM stdin;\\"","config":{"Cmd":["a\\tb"]}}', '{"k": "it''s; a (value), NULL"}'),
  ('IMAGE', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.manifest.v1+json', '', 2, 2, 'team/app', 'sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3', 9000000000, NULL, NULL),
  ('SBOM', 'application/vnd.oci.empty.v1+json', 'application/vnd.oci.image.manifest.v1+json', '', 2, 2, 'team/app', 'sha256:6ca20016b9c82a1bd57872269b58825bbf6289aedeee361865d54969f99e1c56', 1, '', NULL);
INSERT INTO tag (repository_id, artifact_id, name) VALUES (1, 1, '1.27'), (2, 2, 'v1'), (2, 2, 'latest');
INSERT INTO tag_retention (name, data) VALUES ('ghost', 'tag');
INSERT INTO audit_log (resource, statement) VALUES ('library/nginx:ghost', E'INSERT INTO tag VALUES (1,\n''x''');
