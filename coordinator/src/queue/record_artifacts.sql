-- Says that task $2 made artifacts: keys $3, digests $4, sizes $5, reports $6 (empty for all but masters). What some
-- job delivers is a master.
insert into artifact (project_id, task_id, artifact_key, digest, size_bytes, report, master)
select
    $1, $2, artifact_key, digest, size_bytes, nullif(report, ''),
    exists (
        select from deliverable
        where deliverable.project_id = $1 and deliverable.artifact_key = made.artifact_key)
from unnest($3::text[], $4::text[], $5::bigint[], $6::text[]) as made (artifact_key, digest, size_bytes, report)
on conflict (project_id, artifact_key) do update set use_time = now()
