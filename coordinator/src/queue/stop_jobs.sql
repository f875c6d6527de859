-- Ends jobs ($1, $2) as $3, for a failure ($4, $5) or none.
update job
set state = $3, failure_kind = $4, failure_message = $5, end_time = now()
where project_id = $1 and job_id = any ($2) and state = 'active'
