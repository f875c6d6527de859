-- Moves fronts ($1, $2, $3) on to where their ready tasks begin now, unless they were moved a moment ago: each time leaves
-- a dead row behind.
update claim_front
set
    front_time = coalesce(
        (
            select ready_time from task
            where task.project_id = claim_front.project_id and task.demand_id = claim_front.demand_id
                and task.priority = claim_front.priority and task.state = 'ready'
                and task.ready_time >= claim_front.front_time
            order by ready_time
            limit 1
        ),
        farm_now()),
    move_time = farm_now()
from unnest($1::text[], $2::int[], $3::smallint[]) as moved (project_id, demand_id, priority)
where claim_front.project_id = moved.project_id and claim_front.demand_id = moved.demand_id
    and claim_front.priority = moved.priority
    and claim_front.move_time < farm_now() - interval '2 seconds'
