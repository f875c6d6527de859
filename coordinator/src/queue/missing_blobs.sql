-- Those of the blobs $2 that project $1 lacks, in the order asked.
select wanted.digest
from unnest($2::text[]) with ordinality as wanted (digest, place)
where not exists (select from blob where blob.project_id = $1 and blob.digest = wanted.digest)
order by wanted.place
