-- Tells the workers with id or name $1 to take no more tasks; gives them. One that has left stays as it is.
with drained as (
    update worker
    set state = case state when 'gone' then 'gone' else 'draining' end
    where worker_id::text = $1 or name = $1
    returning worker_id
)
select worker_id from drained join worker_pulse using (worker_id) order by heartbeat_time desc
