-- Deletes the row of one blob that nothing refers to: not uploaded by a client, not pinned, of no artifact.
delete from blob
where (project_id, digest) = (
    select project_id, digest from blob
    where not uploaded
        and pinned_until < now()
        and not exists (
            select from artifact where artifact.project_id = blob.project_id and artifact.digest = blob.digest)
    order by create_time
    limit 1
    for update skip locked)
returning project_id, digest
