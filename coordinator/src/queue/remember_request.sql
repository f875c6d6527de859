-- Remembers that request $2 with content $3 concerned job $4 and was answered with $5.
insert into request (project_id, request_id, content_hash, job_id, answer) values ($1, $2, $3, $4, $5)
