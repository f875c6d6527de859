-- Makes worker $1 known, or known again, with its name, slots, revisions and version.
insert into worker (worker_id, name, slots, revisions, version, state)
values ($1, $2, $3, $4, $5, 'active')
on conflict (worker_id) do update
set
    name = excluded.name, slots = excluded.slots, revisions = excluded.revisions, version = excluded.version,
    state = 'active', register_time = now(), heartbeat_time = now()
