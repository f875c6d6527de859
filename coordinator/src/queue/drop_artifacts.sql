-- Forgets artifacts, least recently used first, until those that are no masters take at most $1 bytes, and those not used
-- for $2 seconds; null is no bound. Masters go by age alone, and only with $3. What an unfinished task reads stays, and
-- what an active job is yet to deliver. Gives how many went and their bytes.
with room as (
    select
        project_id, artifact_key, master, use_time,
        sum(size_bytes) filter (where not master) over (order by use_time desc, project_id, artifact_key)
            as bytes_up_to_here
    from artifact
),
dropped as (
    delete from artifact
    using room
    where artifact.project_id = room.project_id and artifact.artifact_key = room.artifact_key
        and (
            not room.master and room.bytes_up_to_here > $1
            or room.use_time < now() - make_interval(secs => $2) and (not room.master or $3))
        and not exists (
            select from task_input
            join task using (project_id, task_id)
            where task_input.project_id = artifact.project_id and task_input.artifact_key = artifact.artifact_key
                and task.state in ('blocked', 'ready', 'running'))
        and not exists (
            select from deliverable
            join job using (project_id, job_id)
            where deliverable.project_id = artifact.project_id and deliverable.artifact_key = artifact.artifact_key
                and not deliverable.delivered and job.state = 'active')
    returning artifact.size_bytes
)
select count(*), coalesce(sum(size_bytes), 0)::bigint from dropped
