-- Those of the leases ($1 workers, $2 tasks, $3 attempts) that are still held.
select lease.task_id, lease.attempt
from unnest($1::uuid[], $2::uuid[], $3::int[]) as named (worker_id, task_id, attempt)
join lease
    on lease.task_id = named.task_id and lease.attempt = named.attempt and lease.worker_id = named.worker_id
