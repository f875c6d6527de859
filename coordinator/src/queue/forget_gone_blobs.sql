-- Forgets blobs ($1 projects, $2 digests), whose bytes are deleted.
delete from blob
using unnest($1::text[], $2::text[]) as gone (project_id, digest)
where blob.project_id = gone.project_id and blob.digest = gone.digest
