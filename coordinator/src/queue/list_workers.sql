-- At most $3 workers by name after ($1, $2); null for the first page. One that was not heard of for $4 seconds is lost.
select
    worker_id, name, slots, version,
    case
        when state <> 'gone' and heartbeat_time < now() - make_interval(secs => $4) then 'lost'
        else state
    end as state,
    (select count(*) from attempt where attempt.worker_id = worker.worker_id and end_time is null) as running,
    (extract(epoch from heartbeat_time) * 1000000)::bigint as heartbeat_micros
from worker
where $1::text is null or (name, worker_id) > ($1, $2::uuid)
order by name, worker_id
limit $3
