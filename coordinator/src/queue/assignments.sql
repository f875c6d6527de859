-- What the Lease call $2 of worker $1 was given, as far as it still runs.
select
    task.project_id, task.task_id, task.attempt, task.job_id, task.spec, task.display_name,
    session.document, job.deliver_to, job.replace,
    coalesce(input.keys, '{}') as input_keys,
    coalesce(input.digests, '{}') as input_digests
from attempt
join task using (project_id, task_id, attempt)
join job on job.project_id = task.project_id and job.job_id = task.job_id
join session on session.project_id = job.project_id and session.session_digest = job.session_digest
left join lateral (
    select array_agg(artifact_key order by artifact_key) as keys, array_agg(digest order by artifact_key) as digests
    from task_input
    join artifact using (project_id, artifact_key)
    where task_input.project_id = task.project_id and task_input.task_id = task.task_id
) as input on true
where attempt.worker_id = $1 and attempt.lease_request_id = $2 and attempt.end_time is null
order by task.task_id
