-- The blobs that nothing refers to, input files only when unused for $1 seconds (null: never), and those that are going
-- already: how many, and their bytes.
select count(*), coalesce(sum(size_bytes), 0)::bigint
from (
    select size_bytes from unreferenced_blob($1)
    union all
    select size_bytes from blob where going_since is not null
) as goes
