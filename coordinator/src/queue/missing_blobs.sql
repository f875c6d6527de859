-- Those of the blobs $2 that project $1 lacks, in the order asked; one that is going is not there. Those that are there are
-- pinned for a day by a write, so that a collection of garbage under way at this moment passes them over, or has marked
-- them before.
with found as (
    select digest
    from blob
    where project_id = $1 and digest = any ($2) and going_since is null
    order by digest
    for no key update
),
pinned as (
    update blob
    set pinned_until = greatest(blob.pinned_until, now() + interval '1 day')
    from found
    where blob.project_id = $1 and blob.digest = found.digest
    returning blob.digest
)
select wanted.digest
from unnest($2::text[]) with ordinality as wanted (digest, place)
where wanted.digest not in (select digest from pinned)
order by wanted.place
