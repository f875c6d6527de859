-- Says that tasks ($1, $2) made artifacts: keys $3, digests $4, sizes $5, reports $6 (empty for all but masters), unless they
-- are there. What some job delivers is a master. Gives those that are new.
insert into artifact (project_id, task_id, artifact_key, digest, size_bytes, report, master)
select
    project_id, task_id, artifact_key, digest, size_bytes, nullif(report, ''),
    exists (
        select from deliverable
        where deliverable.project_id = made.project_id and deliverable.artifact_key = made.artifact_key)
from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[])
    as made (project_id, task_id, artifact_key, digest, size_bytes, report)
on conflict (project_id, artifact_key) do nothing
returning project_id, artifact_key
