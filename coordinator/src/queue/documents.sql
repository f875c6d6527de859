-- The session documents of jobs ($1, $2).
select job.project_id, job.job_id, session.document
from unnest($1::text[], $2::uuid[]) as wanted (project_id, job_id)
join job on job.project_id = wanted.project_id and job.job_id = wanted.job_id
join session on session.project_id = job.project_id and session.session_digest = job.session_digest
