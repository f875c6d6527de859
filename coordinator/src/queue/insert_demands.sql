-- Makes the demands of a job's tasks known: project $1; slots, whole worker, labels and limits of the job ($2 to $5); memory
-- and revisions of each task ($6, $7).
insert into demand (project_id, slots, whole_worker, memory_bytes, labels, limits, revisions)
select distinct $1, $2::int, $3::boolean, memory_step(memory_bytes), $4::text[], $5::text[], revisions
from unnest($6::bigint[], $7::jsonb[]) as asked (memory_bytes, revisions)
where not exists (
    select from demand
    where demand.project_id = $1 and demand.slots = $2 and demand.whole_worker = $3
        and demand.memory_bytes = memory_step(asked.memory_bytes)
        and demand.labels = $4 and demand.limits = $5 and demand.revisions = asked.revisions)
on conflict do nothing
