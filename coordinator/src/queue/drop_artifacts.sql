-- Forgets artifacts, least recently used first, until those that are no masters take at most $1 bytes. What an
-- unfinished task reads stays.
with room as (
    select
        project_id, artifact_key,
        sum(size_bytes) over (order by use_time desc, project_id, artifact_key) as bytes_up_to_here
    from artifact
    where not master
)
delete from artifact
using room
where artifact.project_id = room.project_id and artifact.artifact_key = room.artifact_key
    and room.bytes_up_to_here > $1
    and not exists (
        select from task_input
        join task using (project_id, task_id)
        where task_input.project_id = artifact.project_id and task_input.artifact_key = artifact.artifact_key
            and task.state in ('blocked', 'ready', 'running'))
