-- Names that somebody whose turn has passed may still write to, with what is to lie there and the ordinal of its job.
select project_id, path, ordinal, digest, size_bytes
from delivered_name
where contested_until is not null and digest is not null and writer_job_id is null
