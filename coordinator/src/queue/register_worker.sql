-- Makes worker $1 known, or known again, with its name, slots, revisions, version, memory ($7) and labels ($8), by call $6 of
-- its life $9 (0: it does not count). Whether it was drained before does not matter, whether it is quarantined does. Gives
-- whether that was done, which it is not when the call was heard before or is of an earlier life than the newest known, and
-- that newest life.
with registered as (
    insert into worker
        (worker_id, name, slots, revisions, version, state, register_request_id, memory_bytes, labels, life)
    values ($1, $2, $3, $4, $5, 'active', $6, $7, $8, $9)
    on conflict (worker_id) do update
    set
        name = excluded.name, slots = excluded.slots, revisions = excluded.revisions, version = excluded.version,
        state = 'active', register_time = now(), register_request_id = excluded.register_request_id,
        memory_bytes = excluded.memory_bytes, labels = excluded.labels, life = greatest(worker.life, excluded.life)
    where worker.register_request_id is distinct from excluded.register_request_id
        and (excluded.life = 0 or excluded.life > worker.life)
    returning worker_id, life
),
heard as (
    insert into worker_pulse (worker_id, heartbeat_time)
    select worker_id, farm_now() from registered
    on conflict (worker_id) do update set heartbeat_time = excluded.heartbeat_time
)
select true, life from registered
union all
select false, life from worker where worker_id = $1 and not exists (select from registered)
