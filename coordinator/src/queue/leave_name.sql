-- Lets job ($1, $3) write to $2 no more; it has written nothing.
update delivered_name
set writer_job_id = null, writer_ordinal = null
where project_id = $1 and path = $2 and writer_job_id = $3
