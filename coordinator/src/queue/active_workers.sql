-- What the workers offer that take tasks and were heard of within $1 seconds, and the tasks that they are kept free for.
select
    worker.name, worker.slots, worker.memory_bytes, worker.labels, worker.revisions, reservation.task_id as kept_for
from worker
left join reservation using (worker_id)
where worker.state = 'active' and worker.quarantine_reason is null
    and worker.heartbeat_time > farm_now() - make_interval(secs => $1)
order by worker.name, worker.worker_id
