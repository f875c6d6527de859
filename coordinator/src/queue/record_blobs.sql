-- Says that blobs ($2, sizes $3) of project $1 are stored, and locks their rows.
insert into blob (project_id, digest, size_bytes, uploaded)
select $1, digest, size_bytes, false from unnest($2::text[], $3::bigint[]) as stored (digest, size_bytes)
on conflict (project_id, digest) do update set pinned_until = blob.pinned_until
