-- Adds the tasks of a job ($1, $2) at priority $3; $12 to $15 are what the job asks of workers: slots, whole worker, labels,
-- limits. A task without a spec found what it makes stored: it has succeeded.
insert into task
    (project_id, job_id, task_id, kind, display_name, spec, cached, state, priority, cost, memory_bytes, revisions,
     demand_id, ready_time, end_time)
select
    $1, $2, task_id, kind, display_name, spec, spec is null, state, $3, cost, planned.memory_bytes, planned.revisions,
    demand.demand_id,
    case when state = 'ready' then farm_now() end,
    case when state = 'succeeded' then farm_now() end
from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::jsonb[])
    as planned (task_id, kind, display_name, spec, state, cost, memory_bytes, revisions)
left join demand
    on planned.spec is not null
    and demand.project_id = $1 and demand.slots = $12 and demand.whole_worker = $13
    and demand.memory_bytes = memory_step(planned.memory_bytes)
    and demand.labels = $14 and demand.limits = $15 and demand.revisions = planned.revisions
