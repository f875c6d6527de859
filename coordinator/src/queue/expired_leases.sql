-- The attempts whose leases have run out, locked. Rows that a heartbeat holds at this moment are left to it.
select task.project_id, task.task_id, task.attempt, task.job_id, task.display_name, worker.worker_id,
    worker.name as worker_name
from lease
join task using (project_id, task_id, attempt)
join worker on worker.worker_id = lease.worker_id
where lease.expire_time <= farm_now() and task.state = 'running'
order by task.task_id
for update of lease, task skip locked
