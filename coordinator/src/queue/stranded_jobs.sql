-- The active jobs of project $1 that waited for one of the tasks $2, or are yet to deliver one of the artifacts $3, with what
-- planning them takes.
select
    job.job_id, job.priority, job.requirements, session.document,
    (
        select array_agg(artifact_key order by position)
        from deliverable
        where deliverable.project_id = $1 and deliverable.job_id = job.job_id
    ) as master_keys
from job
join session using (project_id, session_digest)
where job.project_id = $1 and job.state = 'active'
    and (
        exists (
            select from job_task
            where job_task.project_id = $1 and job_task.job_id = job.job_id and job_task.task_id = any ($2))
        or exists (
            select from deliverable
            where deliverable.project_id = $1 and deliverable.job_id = job.job_id
                and deliverable.artifact_key = any ($3) and not deliverable.delivered))
order by job.job_id
