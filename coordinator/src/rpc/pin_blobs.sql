-- Those of the blobs $2 that project $1 has, with their sizes; they are pinned for a day. What is pinned for longer
-- than half a day is not written again.
with found as (
    select digest, size_bytes, pinned_until from blob where project_id = $1 and digest = any ($2)
),
pinned as (
    update blob
    set pinned_until = now() + interval '1 day'
    from found
    where blob.project_id = $1 and blob.digest = found.digest and found.pinned_until < now() + interval '12 hours'
)
select digest, size_bytes from found
