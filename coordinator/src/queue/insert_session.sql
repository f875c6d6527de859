-- Stores a document ($3) under its digest ($2), once.
insert into session (project_id, session_digest, document) values ($1, $2, $3) on conflict do nothing
