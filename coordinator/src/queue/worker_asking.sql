-- What worker $1 may have: its state, its free slots, whether request $2 was answered before, and whether any task at all
-- waits that it could run and may be given. It counts as heard of.
with heard as (
    update worker set heartbeat_time = now() where worker_id = $1 returning worker_id, state, slots, revisions, quarantine_reason
)
select
    heard.state,
    heard.slots - (select count(*) from attempt where worker_id = $1 and end_time is null),
    exists (select from attempt where worker_id = $1 and lease_request_id = $2),
    heard.quarantine_reason is null and exists (
        select from task
        where task.state = 'ready' and task.not_before <= now() and task.revisions <@ heard.revisions)
from heard
