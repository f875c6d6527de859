-- Forgets fronts at which no task has been ready for ten minutes: the next one makes them again.
delete from claim_front as front
where front.move_time < farm_now() - interval '10 minutes'
    and not exists (
        select from task
        where task.project_id = front.project_id and task.demand_id = front.demand_id
            and task.priority = front.priority and task.state = 'ready')
