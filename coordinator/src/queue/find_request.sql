-- What was answered to a request ($1, $2), and what it asked.
select content_hash, job_id, answer from request where project_id = $1 and request_id = $2
