--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Data for Name: artifact; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.artifact VALUES (1, 'IMAGE', 'application/vnd.docker.container.image.v1+json', 'application/vnd.docker.distribution.manifest.v2+json', '', 1, 1, 'library/nginx', 'sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', 5, '2026-01-01 00:00:00', NULL, '{"author":"O''Brien; (x), \"COPY public.tag (id) FROM stdin;\"","config":{"Cmd":["a\tb"]}}', '{"k": "it''s; a (value), NULL"}', NULL);
INSERT INTO public.artifact VALUES (2, 'IMAGE', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.manifest.v1+json', '', 2, 2, 'team/app', 'sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3', 9000000000, '2026-01-01 00:00:00', NULL, NULL, NULL, NULL);
INSERT INTO public.artifact VALUES (3, 'SBOM', 'application/vnd.oci.empty.v1+json', 'application/vnd.oci.image.manifest.v1+json', '', 2, 2, 'team/app', 'sha256:6ca20016b9c82a1bd57872269b58825bbf6289aedeee361865d54969f99e1c56', 1, '2026-01-01 00:00:00', NULL, '', NULL, NULL);


--
-- Data for Name: repository; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.repository VALUES (1, 'library/nginx', 1, 'first line;
INSERT INTO public.tag VALUES (9, 1, 1, ''trap'', NULL, NULL);
\.
O''Brien	tab \ backslash', 0, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00');
INSERT INTO public.repository VALUES (2, 'team/app', 2, NULL, 0, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00');


--
-- Data for Name: tag; Type: TABLE DATA; Schema: public; Owner: postgres
--

INSERT INTO public.tag VALUES (1, 1, 1, '1.27', '2026-01-01 00:00:00', NULL);
INSERT INTO public.tag VALUES (2, 2, 2, 'v1', '2026-01-01 00:00:00', NULL);
INSERT INTO public.tag VALUES (3, 2, 2, 'latest', '2026-01-01 00:00:00', NULL);


--
-- Name: artifact_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.artifact_id_seq', 3, true);


--
-- Name: repository_repository_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.repository_repository_id_seq', 2, true);


--
-- Name: tag_id_seq; Type: SEQUENCE SET; Schema: public; Owner: postgres
--

SELECT pg_catalog.setval('public.tag_id_seq', 3, true);


--
-- PostgreSQL database dump complete
--


