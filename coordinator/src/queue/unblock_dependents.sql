-- Makes ready the tasks that waited for task ($1, $2) last of all; gives them and their names.
update task
set state = 'ready', ready_time = now()
from task_dependency
where task_dependency.project_id = $1 and task_dependency.on_task_id = $2
    and task.project_id = $1 and task.task_id = task_dependency.task_id
    and task.state = 'blocked'
    and not exists (
        select from task_dependency as other
        join task as obstacle on obstacle.project_id = $1 and obstacle.task_id = other.on_task_id
        where other.project_id = $1 and other.task_id = task.task_id and obstacle.state <> 'succeeded')
returning task.task_id, task.display_name
