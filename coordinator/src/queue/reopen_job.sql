-- Makes an ended job ($1, $2) active again, asked for now.
with waiting as (
    update deliverable set not_before = '-infinity', failures = 0
    where project_id = $1 and job_id = $2 and not delivered
)
update job
set state = 'active', end_time = null, failure_kind = null, failure_message = null, ordinal = nextval('job_ordinal')
where project_id = $1 and job_id = $2 and state in ('failed', 'cancelled')
