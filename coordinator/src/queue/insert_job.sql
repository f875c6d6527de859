-- Adds an active job.
insert into job
    (project_id, job_id, session_digest, display_name, priority, deliver_to, replace, revisions, requirements)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
