-- Extends those of the leases ($2, $3) that worker $1 still holds to $5 seconds from now, with their progress ($4);
-- progress never goes back. A lease that ran out but was not yet taken away is still held.
update lease
set expire_time = now() + make_interval(secs => $5), progress = greatest(lease.progress, told.progress)
from unnest($2::uuid[], $3::int[], $4::real[]) as told (task_id, attempt, progress)
where lease.task_id = told.task_id and lease.attempt = told.attempt and lease.worker_id = $1
returning lease.task_id, lease.attempt
