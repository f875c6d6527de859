-- Adds the tasks of a job ($1, $2) at priority $3. A task without a spec found what it makes stored: it has succeeded.
insert into task
    (project_id, job_id, task_id, kind, display_name, spec, cached, state, priority, cost, memory_bytes, revisions,
     ready_time, end_time)
select
    $1, $2, task_id, kind, display_name, spec, spec is null, state, $3, cost, memory_bytes, revisions,
    case when state = 'ready' then now() end,
    case when state = 'succeeded' then now() end
from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::jsonb[])
    as planned (task_id, kind, display_name, spec, state, cost, memory_bytes, revisions)
