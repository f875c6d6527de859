-- What the workers $1 offer, as they registered.
select
    worker_id, (extract(epoch from register_time) * 1000000)::bigint as register_micros,
    slots, memory_bytes, labels, revisions
from worker
where worker_id = any ($1)
