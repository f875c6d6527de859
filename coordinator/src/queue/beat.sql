-- Notes that workers $1 were heard of, and extends those of the leases ($2 workers, $3 tasks, $4 attempts) that they still
-- hold to $6 seconds from now, with their progress ($5); progress never goes back. A lease that ran out but was not yet
-- taken away is still held. Gives each worker that is known, with its state, why it is quarantined if it is, and the leases it holds of those named.
with heard as (
    update worker_pulse set heartbeat_time = farm_now()
    where worker_id = any ($1)
    returning worker_id
),
held as (
    update lease
    set expire_time = farm_now() + make_interval(secs => $6), progress = greatest(lease.progress, told.progress)
    from unnest($2::uuid[], $3::uuid[], $4::int[], $5::real[]) as told (worker_id, task_id, attempt, progress)
    where lease.task_id = told.task_id and lease.attempt = told.attempt and lease.worker_id = told.worker_id
    returning lease.worker_id, lease.task_id, lease.attempt
),
holding as (
    select worker_id, array_agg(task_id) as task_ids, array_agg(attempt) as attempts from held group by worker_id
)
select
    worker_id, worker.state, worker.quarantine_reason,
    coalesce(holding.task_ids, '{}') as task_ids, coalesce(holding.attempts, '{}') as attempts
from heard
join worker using (worker_id)
left join holding using (worker_id)
