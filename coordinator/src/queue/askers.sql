-- The workers ($1, each with the id of its Lease call in $2) that ask for tasks, as far as they are known: where they
-- stand, whether they are quarantined, when they registered, what their running tasks take of them, whether the call was answered before.
select
    asking.place - 1 as place,
    worker.state, worker.quarantine_reason is not null as quarantined,
    (extract(epoch from worker.register_time) * 1000000)::bigint as register_micros,
    coalesce(load.slots, 0)::bigint as used_slots,
    coalesce(load.memory_bytes, 0)::bigint as used_memory_bytes,
    -- No `exists`, of which the planner may make one look through all attempts.
    coalesce(
        (
            select true from attempt
            where attempt.worker_id = asking.worker_id and attempt.lease_request_id = asking.request_id
            limit 1
        ),
        false) as answered
from unnest($1::uuid[], $2::uuid[]) with ordinality as asking (worker_id, request_id, place)
join worker using (worker_id)
cross join lateral (
    select sum(lease.slots) as slots, sum(lease.memory_bytes) as memory_bytes
    from attempt
    join lease using (project_id, task_id, attempt)
    where attempt.worker_id = asking.worker_id and attempt.end_time is null
) as load
order by asking.place
