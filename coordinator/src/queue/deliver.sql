-- Notes that deliverable $3 of job ($1, $2) lies under its name.
update deliverable set delivered = true where project_id = $1 and job_id = $2 and position = $3
