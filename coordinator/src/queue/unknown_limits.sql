-- Those of the names $1 of which there is no limit.
select wanted.name
from unnest($1::text[]) as wanted (name)
where not exists (select from named_limit where named_limit.name = wanted.name)
order by wanted.name
