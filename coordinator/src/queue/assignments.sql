-- What the Lease calls ($1 the workers, $2 the calls) were given, as far as it still runs. Documents are read apart, once
-- each. From the calls inwards, whatever the statistics of a young farm say: `offset 0` keeps the order of the joins.
select
    given.worker_id, given.lease_request_id,
    task.project_id, task.task_id, task.attempt, task.job_id, task.spec, task.display_name,
    lease.slots, lease.memory_bytes,
    coalesce(input.keys, '{}') as input_keys,
    coalesce(input.digests, '{}') as input_digests
from unnest($1::uuid[], $2::uuid[]) as asked (worker_id, request_id)
cross join lateral (
    select * from attempt
    where attempt.worker_id = asked.worker_id and attempt.lease_request_id = asked.request_id and attempt.end_time is null
    offset 0
) as given
cross join lateral (
    select * from task
    where task.task_id = given.task_id and task.project_id = given.project_id and task.attempt = given.attempt
    offset 0
) as task
join lease
    on lease.project_id = given.project_id and lease.task_id = given.task_id and lease.attempt = given.attempt
left join lateral (
    select
        array_agg(artifact_key order by artifact_key) as keys,
        array_agg(stored.digest order by artifact_key) as digests
    from task_input
    cross join lateral (
        select digest from artifact
        where artifact.project_id = task.project_id and artifact.artifact_key = task_input.artifact_key
        offset 0
    ) as stored
    where task_input.project_id = task.project_id and task_input.task_id = task.task_id
) as input on true
order by task.task_id
