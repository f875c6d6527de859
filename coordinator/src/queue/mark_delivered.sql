-- Notes that deliverables of job ($1, $2) made of artifacts $3 lie under their names.
update deliverable
set delivered = true
where project_id = $1 and job_id = $2 and artifact_key = any ($3)
