-- Whose task $1 is.
select project_id from task where task_id = $1
