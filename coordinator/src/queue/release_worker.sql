-- Ends the quarantine of the workers with id or name $1 and forgives what they failed; gives them.
with freed as (
    update worker
    set quarantine_reason = null, quarantine_time = null, forgiven_time = now()
    where worker_id::text = $1 or name = $1
    returning worker_id
)
select worker_id from freed join worker_pulse using (worker_id) order by heartbeat_time desc
