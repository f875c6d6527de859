-- What the workers offer that were heard of within $1 seconds and have not left, whether they take tasks, and the tasks that
-- they are kept free for.
select
    worker.name, worker.slots, worker.memory_bytes, worker.labels, worker.revisions,
    worker.state = 'draining' as draining, worker.quarantine_reason is not null as quarantined,
    reservation.task_id as kept_for
from worker
join worker_pulse using (worker_id)
left join reservation using (worker_id)
where worker.state <> 'gone' and worker_pulse.heartbeat_time > farm_now() - make_interval(secs => $1)
order by worker.name, worker.worker_id
