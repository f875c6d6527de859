-- Attempt $3 of task $2 if worker $1 ever had it: its project, the call that settled it, whether it has ended.
select project_id, settle_request_id, end_time is not null
from attempt
where task_id = $2 and attempt = $3 and worker_id = $1
    -- For the key's sake: tasks are named without their project.
    and project_id = (select project_id from task where task_id = $2)
