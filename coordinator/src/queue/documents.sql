-- The documents of sessions ($1, $2).
select session.project_id, session.session_digest, session.document
from unnest($1::text[], $2::text[]) as wanted (project_id, session_digest)
join session using (project_id, session_digest)
