-- Marks at most $2 blobs that nothing refers to as going, input files only when unused for $1 seconds (null: never). A row that
-- was pinned meanwhile was written, and stays. What another collection is about is left to it.
with candidate as (
    select blob.project_id, blob.digest
    from unreferenced_blob($1) as unreferenced
    join blob using (project_id, digest)
    order by blob.project_id, blob.digest
    limit $2
    for update of blob skip locked
)
update blob
set going_since = now()
from candidate
where blob.project_id = candidate.project_id and blob.digest = candidate.digest
    and blob.pinned_until < now() and blob.going_since is null
