-- Removes the documents $2 of project $1 that no job is left of: whoever submits one again sends it again.
delete from session
where project_id = $1 and session_digest = any ($2)
    and not exists (
        select from job where job.project_id = session.project_id and job.session_digest = session.session_digest)
