-- Those of the blobs $2 that project $1 has, with their sizes; they are pinned for a day. What is pinned for longer
-- than half a day is not written again: nothing drops it. One that is going is not there.
with found as (
    select digest, size_bytes, pinned_until
    from blob
    where project_id = $1 and digest = any ($2) and going_since is null
),
soon_unpinned as (
    select blob.digest
    from blob
    join found using (digest)
    where blob.project_id = $1 and blob.going_since is null and found.pinned_until < now() + interval '12 hours'
    order by blob.digest
    for no key update of blob
),
pinned as (
    update blob
    set pinned_until = now() + interval '1 day'
    from soon_unpinned
    where blob.project_id = $1 and blob.digest = soon_unpinned.digest
    returning blob.digest
)
select digest, size_bytes
from found
where pinned_until >= now() + interval '12 hours' or digest in (select digest from pinned)
