-- Remembers that call $1 with content $2 concerned worker $3.
insert into worker_request (request_id, content_hash, worker_id) values ($1, $2, $3)
