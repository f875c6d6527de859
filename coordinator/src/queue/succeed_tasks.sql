-- Marks running tasks ($1, $2) as done by attempts $3, as Settle calls $4 say, with what the attempts cost; takes their
-- leases away. The queue's lock holds them running: to ask again would let the planner look through all that is running.
with done as (
    select *
    from unnest(
        $1::text[], $2::uuid[], $3::int[], $4::uuid[],
        $5::double precision[], $6::bigint[], $7::bigint[], $8::double precision[])
        as done (
            project_id, task_id, attempt, request_id, cpu_seconds, fetched_bytes, stored_bytes, realtime_factor)
),
taken_lease as (
    delete from lease
    using done
    where lease.project_id = done.project_id and lease.task_id = done.task_id and lease.attempt = done.attempt
),
ended_attempt as (
    update attempt
    set
        outcome = 'succeeded', settle_request_id = done.request_id, end_time = clock_timestamp(),
        cpu_seconds = done.cpu_seconds, fetched_bytes = done.fetched_bytes, stored_bytes = done.stored_bytes,
        realtime_factor = done.realtime_factor
    from done
    where attempt.project_id = done.project_id and attempt.task_id = done.task_id and attempt.attempt = done.attempt
)
update task
set state = 'succeeded', end_time = farm_now()
from done
where task.project_id = done.project_id and task.task_id = done.task_id and task.attempt = done.attempt
    and task.state = 'running'
