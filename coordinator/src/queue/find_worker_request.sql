-- Which worker call $1 concerned, and what it asked.
select content_hash, worker_id from worker_request where request_id = $1
