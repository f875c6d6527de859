-- Makes an ended job ($1, $2) active again.
update job
set state = 'active', end_time = null, failure_kind = null, failure_message = null
where project_id = $1 and job_id = $2 and state in ('failed', 'cancelled')
