-- Says which artifacts ($3) tasks ($2) make.
insert into task_output (project_id, task_id, artifact_key)
select $1, task_id, artifact_key from unnest($2::uuid[], $3::text[]) as pairs (task_id, artifact_key)
on conflict do nothing
