-- Whether another project goes before project $1: it has fewer slots in use for its weight, it may run more, and it has a
-- task ready that a worker heard of within $2 seconds could run.
select exists (
    select from project as own
    join project as other on other.project_id <> own.project_id
    cross join (select counts from usage order by version desc limit 1) as running
    where own.project_id = $1
        and (coalesce((running.counts ->> ('slots/' || other.project_id))::bigint, 0) + 1)::double precision / other.weight
            < (coalesce((running.counts ->> ('slots/' || own.project_id))::bigint, 0) + 1)::double precision / own.weight
        and coalesce((running.counts ->> ('tasks/' || other.project_id))::bigint, 0)
            < coalesce(other.running_limit, 9223372036854775807)
        and exists (
            select from claim_front as front
            join demand using (project_id, demand_id)
            cross join lateral (
                select from task
                where task.project_id = front.project_id and task.demand_id = front.demand_id
                    and task.priority = front.priority and task.state = 'ready'
                    and task.ready_time >= front.front_time and task.ready_time <= farm_now()
                    and task.not_before <= farm_now()
                limit 1
            ) as first
            where front.project_id = other.project_id and limits_have_room(demand.limits)
                and exists (
                    select from live_workers($2) as worker
                    where worker.slots >= demand.slots
                        and coalesce(worker.memory_bytes >= demand.memory_bytes, true)
                        and worker.labels @> demand.labels and worker.revisions @> demand.revisions)))
