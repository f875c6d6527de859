-- Name and revisions of the workers that take tasks and were heard of within $1 seconds.
select name, revisions
from worker
where state = 'active' and quarantine_reason is null and heartbeat_time > now() - make_interval(secs => $1)
order by name, worker_id
