-- Makes worker $1 known, or known again, with its name, slots, revisions and version, by call $6. Whether it was drained
-- before does not matter, whether it is quarantined does. No row when the call was heard before.
insert into worker (worker_id, name, slots, revisions, version, state, register_request_id)
values ($1, $2, $3, $4, $5, 'active', $6)
on conflict (worker_id) do update
set
    name = excluded.name, slots = excluded.slots, revisions = excluded.revisions, version = excluded.version,
    state = 'active', register_time = now(), heartbeat_time = now(), register_request_id = excluded.register_request_id
where worker.register_request_id is distinct from excluded.register_request_id
returning worker_id
