-- Deletes the rows of at most $2 blobs that nothing refers to, input files only when unused for $1 seconds (null: never).
-- A row that was pinned meanwhile was written, and stays.
delete from blob
using (select project_id, digest from unreferenced_blob($1) order by project_id, digest limit $2) as candidate
where blob.project_id = candidate.project_id and blob.digest = candidate.digest and blob.pinned_until < now()
returning blob.project_id, blob.digest, blob.size_bytes
