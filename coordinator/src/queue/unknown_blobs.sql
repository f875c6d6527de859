-- Those of the objects (projects $1, digests $2) that no row knows, by their place in the lists.
select (stored.place - 1)::int
from unnest($1::text[], $2::text[]) with ordinality as stored (project_id, digest, place)
where not exists (
    select from blob where blob.project_id = stored.project_id and blob.digest = stored.digest)
order by stored.place
