-- Who puts masters under names, and whose master lies under a name that several jobs deliver to: the one asked for last,
-- whichever ends last and whichever coordinator wakes when.

create sequence job_ordinal;

-- A job's place in the order in which jobs were asked for; RetryJob asks again.
alter table job add column ordinal bigint not null default nextval('job_ordinal');

-- Some coordinator delivers it until then, or it is not to be tried again before.
alter table deliverable add column not_before timestamptz not null default '-infinity';
-- How often the store failed it since the job was asked for.
alter table deliverable add column failures int not null default 0
    constraint failures_are_not_negative check (failures >= 0);

create table delivered_name (
    project_id text not null references project,
    -- The whole path in the store.
    path text not null,
    -- The latest job whose master was written there, and that master.
    ordinal bigint not null default 0,
    digest text,
    size_bytes bigint,
    -- The job whose master is being written there.
    writer_ordinal bigint,
    writer_job_id uuid,
    -- Until then somebody whose turn has passed may still write there: it is looked at again and again.
    contested_until timestamptz,
    primary key (project_id, path),
    constraint writer_is_whole check ((writer_ordinal is null) = (writer_job_id is null)),
    constraint master_is_whole check (
        (ordinal = 0) = (digest is null) and (digest is null) = (size_bytes is null))
);

create index delivered_name_contested on delivered_name (contested_until) where contested_until is not null;
