-- Ends attempt $3 of task ($1, $2) and takes its lease away.
with taken_lease as (
    delete from lease where project_id = $1 and task_id = $2 and attempt = $3
)
update attempt
set outcome = $4, failure_kind = $5, failure_message = $6, settle_request_id = $7, end_time = clock_timestamp()
where project_id = $1 and task_id = $2 and attempt = $3
