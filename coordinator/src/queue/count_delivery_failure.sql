-- Counts that the store failed deliverable $3 of job ($1, $2), and gives how often.
update deliverable set failures = failures + 1
where project_id = $1 and job_id = $2 and position = $3
returning failures
