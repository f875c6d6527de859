-- Machines that render. They belong to the farm, not to a project.

create table worker (
    worker_id uuid primary key,
    name text not null,
    slots int not null
        constraint slots_are_sane check (slots between 1 and 1024),
    -- Revision by name of node or stage: what it can render.
    revisions jsonb not null,
    version text not null,
    -- That a worker is lost is not stored: it follows from heartbeat_time.
    state text not null
        constraint state_is_known check (state in ('active', 'draining', 'gone')),
    register_time timestamptz not null default now(),
    heartbeat_time timestamptz not null default now()
)
-- Every heartbeat writes here: room for updates in place.
with (fillfactor = 50);

create index worker_by_name on worker (name, worker_id);
