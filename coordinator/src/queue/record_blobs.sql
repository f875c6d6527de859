-- Says that blobs ($1 projects, $2 digests, $3 sizes) are stored, and locks their rows. One that was there is pinned for a
-- while: whoever is about to drop it looks again at a row that was written. One that was going is there again.
insert into blob (project_id, digest, size_bytes, uploaded)
select project_id, digest, size_bytes, false
from unnest($1::text[], $2::text[], $3::bigint[]) as stored (project_id, digest, size_bytes)
on conflict (project_id, digest) do update set
    pinned_until = greatest(blob.pinned_until, now() + interval '1 minute'), going_since = null
