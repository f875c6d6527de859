-- Locks at most $1 blobs that are marked as going, by this collection or by one that was stopped. What another collection is
-- about is left to it: whoever waited for it would find those rows gone, and take that for the end.
select project_id, digest, size_bytes
from blob
where going_since is not null
order by going_since, project_id, digest
limit $1
for update skip locked
