-- A farm serves several projects that must never learn of each other. Hence every table carries project_id and every
-- key begins with it, from the first migration on: adding it later would mean proving that no query was forgotten.
-- Exceptions are workers, which serve all projects, and their tokens.

create table project (
    project_id text primary key
        constraint project_id_is_a_path_segment check (project_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    -- Its share of the farm beside other projects.
    weight int not null default 1
        constraint weight_is_positive check (weight between 1 and 1000),
    create_time timestamptz not null default now()
);

-- What is submitted without a token, on one machine, goes here.
insert into project (project_id) values ('default');

-- Only hashes are stored: whoever reads the database learns no token.
create table token (
    token_id uuid primary key,
    token_hash bytea not null unique
        constraint token_hash_is_blake3 check (octet_length(token_hash) = 32),
    role text not null
        constraint role_is_known check (role in ('client', 'worker', 'admin')),
    project_id text references project,
    -- For people: whose it is.
    name text not null,
    create_time timestamptz not null default now(),
    revoke_time timestamptz,
    constraint workers_serve_all_projects check ((role = 'worker') = (project_id is null))
);
