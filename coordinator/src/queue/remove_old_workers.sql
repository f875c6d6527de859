-- Removes workers that were not heard of for $1 seconds and of which nothing tells any more.
delete from worker
using worker_pulse
where worker_pulse.worker_id = worker.worker_id
    and worker_pulse.heartbeat_time < now() - make_interval(secs => $1) and worker.quarantine_reason is null
    and not exists (select from attempt where attempt.worker_id = worker.worker_id)
    and not exists (select from task where task.worker_id = worker.worker_id)
    and not exists (select from worker_request where worker_request.worker_id = worker.worker_id)
