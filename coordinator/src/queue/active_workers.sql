-- What the workers offer that take tasks and were heard of within $1 seconds, and the tasks that they are kept free for.
select
    worker.name, worker.slots, worker.memory_bytes, worker.labels, worker.revisions, reservation.task_id as kept_for
from live_workers($1) as worker
left join reservation using (worker_id)
order by worker.name, worker.worker_id
