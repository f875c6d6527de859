-- Says which tasks ($3) must succeed before others ($2).
insert into task_dependency (project_id, task_id, on_task_id)
select $1, task_id, on_task_id from unnest($2::uuid[], $3::uuid[]) as pairs (task_id, on_task_id)
