-- Deliverable $3 of job ($1, $2) waits no more: it lies under its name, or a later job's does.
update deliverable set delivered = true where project_id = $1 and job_id = $2 and position = $3
