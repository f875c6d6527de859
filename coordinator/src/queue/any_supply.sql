-- Whether any task is ready to be claimed; asked without the queue's lock.
select exists (
    select from claim_front as front
    cross join lateral (
        select from task
        where task.project_id = front.project_id and task.demand_id = front.demand_id
            and task.priority = front.priority and task.state = 'ready'
            and task.ready_time >= front.front_time and task.ready_time <= farm_now() and task.not_before <= farm_now()
        limit 1
    ) as first)
