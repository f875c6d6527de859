-- The state of job ($1, $2), its row locked.
select state from job where project_id = $1 and job_id = $2 for no key update
