-- Says which artifacts ($3) tasks ($2) read.
insert into task_input (project_id, task_id, artifact_key)
select $1, task_id, artifact_key from unnest($2::uuid[], $3::text[]) as pairs (task_id, artifact_key)
on conflict do nothing
