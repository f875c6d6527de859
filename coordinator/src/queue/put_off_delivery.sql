-- Lets nobody take deliverable $3 of job ($1, $2) for $4 seconds from now.
update deliverable set not_before = now() + make_interval(secs => $4)
where project_id = $1 and job_id = $2 and position = $3 and not delivered
